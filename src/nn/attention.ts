import { type Dim, scalar, shapeError, type Value, withFusedForm } from '../graph/index.ts'
import { add, fusedMatmul, matmul, mul, reshape, softmax, transpose } from '../ops/index.ts'

export interface AttentionOptions {
  readonly heads: number
  /** Factor on the scores; 1/√(head size) unless given (T5 uses 1). */
  readonly scale?: number
  /** Added to the scores, broadcast to (batch, heads, tokens, keys): masks (0 or -∞) and position biases. */
  readonly bias?: Value | undefined
}

/**
 * softmax(q·kᵀ·scale + bias)·v for each head (Vaswani et al. 2017, section 3.2).
 * Sequence first, as everywhere in this package: q (tokens, batch, size), k and v (keys, batch, size) → (tokens, batch, size).
 * Keys and values of earlier tokens then are simply earlier rows, and the fused form needs no transposition of them.
 * At least one token and one key: ONNX Runtime 1.30 ends the process (SIGFPE) in such a product of no rows.
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const [tokens, batch, size] = q.shape as [Dim, Dim, number]
  const headSize = size / options.heads
  if (!Number.isInteger(headSize))
    throw shapeError('attention', [q], `${size} is not divisible by ${options.heads} heads`)
  if (k.shape.slice(1).join() !== q.shape.slice(1).join() || v.shape.join() !== k.shape.join()) {
    throw shapeError('attention', [q, k, v], 'expected (tokens, batch, size) and twice (keys, batch, size)')
  }
  const scale = options.scale ?? headSize ** -0.5
  const [query, key, value] = [q, k, v].map((x) => reshape(x, [x.shape[0] as Dim, batch, options.heads, headSize])) as [
    Value,
    Value,
    Value,
  ]
  const weigh = (scores: Value) => softmax(options.bias ? add(scores, options.bias) : scores)
  const join = (heads: Value) => reshape(transpose(heads, [2, 0, 1, 3]), [tokens, batch, size])

  const scores = mul(matmul(transpose(query, [1, 2, 0, 3]), transpose(key, [1, 2, 3, 0])), scalar(scale))
  const plain = join(matmul(weigh(scores), transpose(value, [1, 2, 0, 3])))
  return withFusedForm(plain, () => {
    const inPlace = { batchInsideA: true, batchInsideB: true, transB: true, alpha: scale }
    return join(fusedMatmul(weigh(fusedMatmul(query, key, inPlace)), value, { batchInsideB: true }))
  })
}
