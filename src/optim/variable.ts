import { type AdamWConstants, kernels } from './kernels.ts'
import { wasmMemory } from './wasm.ts'

/** The four tensors of a trained parameter; the moments have the names of torch.optim.AdamW's state. */
export const parts = ['value', 'gradient', 'exp_avg', 'exp_avg_sq'] as const
export type Part = (typeof parts)[number]

/** Elements that a variable has room for: four tensors of float32 in the 4 GiB of a WebAssembly memory. */
export const maxElements = 2 ** 28

/** A trained parameter. Its tensors are views of one WebAssembly memory, where the loops of `kernels.ts` find them. */
export interface Variable extends Readonly<Record<Part, Float32Array<ArrayBuffer>>> {
  readonly shape: readonly number[]
  /** Changes value, exp_avg and exp_avg_sq by one step of AdamW. */
  adamw(...constants: AdamWConstants): void
  /** Sum of the squares of the gradient, in float64: not finite when the gradient is not. */
  gradientSquares(): number
}

/**
 * All zeros; `shape` has at least one element. Memory is taken as it is written to, so a variable that is only read takes a
 * quarter of one that is trained. RangeError when there is none.
 */
export function createVariable(shape: readonly number[]): Variable {
  const count = shape.reduce((product, size) => product * size, 1)
  const stride = 16 * Math.ceil(count / 4)
  const memory = wasmMemory(parts.length * stride)
  const { adamw, sumOfSquares } = kernels(memory)
  const view = (part: Part) => new Float32Array(memory.buffer, parts.indexOf(part) * stride, count)
  return {
    shape,
    value: view('value'),
    gradient: view('gradient'),
    exp_avg: view('exp_avg'),
    exp_avg_sq: view('exp_avg_sq'),
    adamw: (...constants) => adamw(0, stride, 2 * stride, 3 * stride, stride, ...constants),
    gradientSquares: () => sumOfSquares(stride, 2 * stride),
  }
}
