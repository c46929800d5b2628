import { elementCount, shapeError, type Value, withFusedForm } from '../graph/index.ts'
import { add, fusedMatmul, gemm, reshape, reshapeLike, swapLast } from '../ops/index.ts'
import type { Params } from './params.ts'

/** y = x·weightᵀ + bias with the published `weight` (out, in) and `bias` (out). x (…, in) → (…, out). */
export function linear(p: Params, x: Value, outSize: number, options: { readonly bias?: boolean } = {}): Value {
  const inSize = x.shape.at(-1) as number
  const weight = p.get('weight', [outSize, inSize])
  const bias = options.bias === false ? undefined : p.get('bias', [outSize])
  return p.label(affine(x, weight, bias))
}

/** From 2 rows to so many, w·xᵀ is the faster form of a linear layer (docs/decisions/0004). */
export const FEW_ROWS = 64

/**
 * x·wᵀ + b over the last axis. Fused form for 2 to FEW_ROWS rows: w·xᵀ instead, which reads every weight once where it lies, while
 * x·wᵀ first repacks all of w (`bench/linear.ts`: 1.2 to 1.4 times as fast at 5 rows, 1.7 at 16; slower for one row and for 257).
 */
export function affine(x: Value, w: Value, b: Value | undefined): Value {
  const [out, inSize] = w.shape
  if (typeof inSize !== 'number' || x.shape.at(-1) !== inSize) {
    throw shapeError('linear', [x, w], `expected ${inSize} features on the last axis`)
  }
  const rows = reshape(x, [-1, inSize])
  const restore = (y: Value) => reshapeLike(y, x, out as number)
  const plain = restore(gemm(rows, w, b))
  return withFusedForm(plain, (sizes) => {
    const count = elementCount(x.shape.slice(0, -1), sizes)
    if (count < 2 || count > FEW_ROWS) return undefined
    const product = swapLast(fusedMatmul(w, rows, { transB: true }))
    return restore(b ? add(product, b) : product)
  })
}
