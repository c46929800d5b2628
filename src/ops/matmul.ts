import { type Attribute, type Dim, float, int, node, shapeError, type Value } from '../graph/index.ts'
import { unbroadcast } from './reduce.ts'
import { reshape, swapLast, transpose } from './shape.ts'

/** y = a·b. a (…, m, k), b (…, k, n) → (…, m, n). da = dy·bᵀ, db = aᵀ·dy. */
export function matmul(a: Value, b: Value): Value {
  return node('MatMul', [a, b], {
    shape: matmulShape(a, b),
    gradient: (dy) => [unbroadcast(matmul(dy!, swapLast(b)), a.shape), unbroadcast(matmul(swapLast(a), dy!), b.shape)],
  })
}

function matmulShape(a: Value, b: Value): Dim[] {
  if (a.shape.length < 2 || b.shape.length < 2) throw shapeError('MatMul', [a, b], 'both need at least two axes')
  const [m, k] = a.shape.slice(-2) as [Dim, Dim]
  const [inner, n] = b.shape.slice(-2) as [Dim, Dim]
  if (k !== inner) throw shapeError('MatMul', [a, b], `inner sizes ${k} and ${inner} differ`)
  const rank = Math.max(a.shape.length, b.shape.length)
  const batch = Array.from({ length: rank - 2 }, (_, i) => {
    const x = a.shape[i - rank + a.shape.length] ?? 1
    const y = b.shape[i - rank + b.shape.length] ?? 1
    if (x === y || y === 1) return x
    if (x === 1) return y
    throw shapeError('MatMul', [a, b], `batch sizes ${x} and ${y} differ`)
  })
  return [...batch, m, n]
}

/** y = x·wᵀ + b for a weight as published. x (m, in), w (out, in), b (out) → (m, out). dx = dy·w, dw = dyᵀ·x, db = Σ dy. */
export function gemm(x: Value, w: Value, b?: Value): Value {
  const [m, inX] = x.shape
  const [out, inW] = w.shape
  if (x.shape.length !== 2 || w.shape.length !== 2 || inX !== inW) {
    throw shapeError('Gemm', [x, w], `expected (rows, in) and (out, in), found in = ${inX} and ${inW}`)
  }
  if (b && (b.shape.length !== 1 || b.shape[0] !== out))
    throw shapeError('Gemm', [w, b], `the bias needs shape (${out})`)
  return node('Gemm', b ? [x, w, b] : [x, w], {
    shape: [m as Dim, out as Dim],
    attributes: { transB: int(1) },
    gradient: (dy) => [matmul(dy!, w), matmul(turned(dy!), x), b && unbroadcast(dy!, b.shape)],
  })
}

/**
 * xᵀ as a tensor of its own. ONNX Runtime joins a plain transposition to the product behind it, whose packing then reads x against the
 * grain (2,056 × 768: 69 ms of processor time instead of 53, `bench/weight-gradient.ts`); not where the axes are regrouped in between.
 */
function turned(x: Value): Value {
  const [rows, columns] = x.shape as [Dim, Dim]
  return reshape(transpose(reshape(x, [1, rows, columns]), [0, 2, 1]), [columns, rows])
}

export interface FusedMatmulOptions {
  readonly transA?: boolean
  readonly transB?: boolean
  /** The first axis of a (b) changes places with the batch axes: (m, …batch, k) is read as (…batch, m, k). */
  readonly batchInsideA?: boolean
  readonly batchInsideB?: boolean
  /** Factor on the product. */
  readonly alpha?: number
}

/** ONNX Runtime's product that reads transposed operands where they lie (com.microsoft FusedMatMul). For fused forms. */
export function fusedMatmul(a: Value, b: Value, options: FusedMatmulOptions): Value {
  const view = (value: Value, inside: boolean | undefined, transposed: boolean | undefined) => {
    const [first, ...rest] = value.shape as [Dim, ...Dim[]]
    const shape = inside ? [...rest.slice(0, -1), first, rest.at(-1) as Dim] : value.shape
    return { ...value, shape: transposed ? [...shape.slice(0, -2), shape.at(-1) as Dim, shape.at(-2) as Dim] : shape }
  }
  const flag = (on: boolean | undefined): Attribute => int(on ? 1 : 0)
  return node('FusedMatMul', [a, b], {
    domain: 'com.microsoft',
    shape: matmulShape(view(a, options.batchInsideA, options.transA), view(b, options.batchInsideB, options.transB)),
    attributes: {
      alpha: float(options.alpha ?? 1),
      transA: flag(options.transA),
      transB: flag(options.transB),
      transBatchA: flag(options.batchInsideA),
      transBatchB: flag(options.batchInsideB),
    },
    gradient: 'a fused form is written for inference only',
  })
}
