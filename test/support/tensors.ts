/** Tensors for tests: literal ones and seeded random ones. */
import type { Tensor } from '../../src/runtime/device.ts'

export type { Tensor }

/** float32, row-major. */
export function floats(shape: readonly number[], values: Iterable<number>): Tensor {
  return { dtype: 'float32', shape, data: Float32Array.from(values) }
}

/** int64, row-major. */
export function longs(shape: readonly number[], values: Iterable<number>): Tensor {
  return { dtype: 'int64', shape, data: BigInt64Array.from(values, BigInt) }
}

/** Every element the same float32 number. */
export function filled(shape: readonly number[], value: number): Tensor {
  return { dtype: 'float32', shape, data: new Float32Array(count(shape)).fill(value) }
}

/** Standard normal float32 numbers: the same for the same seed and shape, everywhere. */
export function normal(seed: number, shape: readonly number[]): Tensor {
  const random = uniform(seed)
  const draw = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return floats(shape, Array.from({ length: count(shape) }, draw))
}

/** The elements as plain numbers. */
export function numbers(tensor: Tensor | undefined): number[] {
  return Array.from(tensor?.data ?? [], Number)
}

export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** mulberry32: uniform numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
