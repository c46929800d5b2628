/** The two loops over all trained parameters, as WebAssembly. `bench/optim.ts` has their speed beside plain JavaScript. */
import {
  addF64,
  type Code,
  compile,
  constF32,
  f32x4,
  f64x2,
  highHalf,
  loop16,
  type WasmMemory,
  wasmFunction,
  wasmModule,
} from './wasm.ts'

/** Addresses are in bytes, multiples of 16. A loop reads and writes whole 16 bytes, the last ones beyond `end` if need be. */
export interface Kernels {
  /** One step for the parameters from address p to `end`, their gradients g and moments m and v; see `AdamWConstants`. */
  adamw(p: number, g: number, m: number, v: number, end: number, ...constants: AdamWConstants): void
  /** Sum of the squares of the float32 numbers from address g to `end`, in float64: not finite when one of them is not. */
  sumOfSquares(g: number, end: number): number
}

/**
 * AdamW (Loshchilov and Hutter 2019) in float32, for a gradient g times `scale`:
 *
 *     m ← beta1·m + rest1·g              rest1 = 1 - beta1
 *     v ← beta2·v + rest2·g·g           rest2 = 1 - beta2
 *     p ← p - (decay·p + rate·m / (√v·unbias + eps))
 *
 * where decay = lr·weight decay, rate = lr / (1 - beta1ᵗ), unbias = 1 / √(1 - beta2ᵗ). The two parts of the change are summed
 * before p is touched, so p is rounded once a step; torch decays first, p ← p·(1 - decay), and rounds it twice. A moment no larger
 * than 2⁻¹⁰⁰ becomes 0: beside eps it changes nothing, and those of rarely seen words would otherwise shrink into denormal numbers and
 * stay there, with which some processors are a hundred times slower.
 */
export type AdamWConstants = readonly [
  scale: number,
  beta1: number,
  rest1: number,
  beta2: number,
  rest2: number,
  decay: number,
  rate: number,
  unbias: number,
  eps: number,
]

const { load, store, splat, sqrt, add, sub, mul, div, abs, lessOrEqual, without } = f32x4
const withoutTiny = (x: Code): Code => without(x, lessOrEqual(abs(x), splat(constF32(2 ** -100))))

const adamw = wasmFunction({
  parameters: [
    ['p', 'i32'],
    ['g', 'i32'],
    ['m', 'i32'],
    ['v', 'i32'],
    ['end', 'i32'],
    ['scale', 'f32'],
    ['beta1', 'f32'],
    ['rest1', 'f32'],
    ['beta2', 'f32'],
    ['rest2', 'f32'],
    ['decay', 'f32'],
    ['rate', 'f32'],
    ['unbias', 'f32'],
    ['eps', 'f32'],
  ],
  locals: [
    ['gradient', 'v128'],
    ['average', 'v128'],
    ['squared', 'v128'],
    ['parameter', 'v128'],
  ],
  body({ p, g, m, v, end, gradient, average, squared, parameter, ...constants }) {
    const { scale, beta1, rest1, beta2, rest2, decay, rate, unbias, eps } = mapValues(constants, ({ get }) =>
      splat(get),
    )
    const step = div(mul(rate, average.get), add(mul(sqrt(squared.get), unbias), eps))
    return loop16([p, g, m, v], end, [
      ...gradient.set(mul(load(g.get), scale)),
      ...average.set(add(mul(load(m.get), beta1), mul(rest1, gradient.get))),
      ...average.set(withoutTiny(average.get)),
      ...squared.set(add(mul(load(v.get), beta2), mul(mul(rest2, gradient.get), gradient.get))),
      ...squared.set(withoutTiny(squared.get)),
      ...parameter.set(load(p.get)),
      ...store(m.get, average.get),
      ...store(v.get, squared.get),
      ...store(p.get, sub(parameter.get, add(mul(decay, parameter.get), step))),
    ])
  },
})

const sumOfSquares = wasmFunction({
  parameters: [
    ['g', 'i32'],
    ['end', 'i32'],
  ],
  locals: [
    ['four', 'v128'],
    ['two', 'v128'],
    ['low', 'v128'],
    ['high', 'v128'],
  ],
  result: 'f64',
  body({ g, end, four, two, low, high }) {
    const square = f64x2.mul(two.get, two.get)
    return [
      ...loop16([g], end, [
        ...four.set(load(g.get)),
        ...two.set(f64x2.promoteLow(four.get)),
        ...low.set(f64x2.add(low.get, square)),
        ...two.set(f64x2.promoteLow(highHalf(four.get))),
        ...high.set(f64x2.add(high.get, square)),
      ]),
      ...two.set(f64x2.add(low.get, high.get)),
      ...addF64(f64x2.lane(two.get, 0), f64x2.lane(two.get, 1)),
    ]
  },
})

let instantiate: ((memory: WasmMemory) => Kernels) | undefined

/** The loops over a memory. Compiled at the first call. */
export function kernels(memory: WasmMemory): Kernels {
  instantiate ??= compile<Kernels>(wasmModule({ adamw, sumOfSquares }))
  return instantiate(memory)
}

function mapValues<K extends string, V, W>(record: Readonly<Record<K, V>>, map: (value: V) => W): Record<K, W> {
  return Object.fromEntries(Object.entries<V>(record).map(([key, value]) => [key, map(value)])) as Record<K, W>
}
