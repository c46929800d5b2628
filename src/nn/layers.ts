import { label, type Value } from '../graph/index.ts'
import * as ops from '../ops/index.ts'
import type { Params } from './params.ts'

/** Layer normalisation with the published `weight` and `bias`. x (…, size) → same shape. */
export function layerNorm(p: Params, x: Value, eps: number): Value {
  const size = x.shape.at(-1) as number
  return p.label(ops.layerNorm(x, p.get('weight', [size]), p.get('bias', [size]), eps))
}

/** T5's layer normalisation: root mean square, `weight` only. x (…, size) → same shape. */
export function rmsNorm(p: Params, x: Value, eps: number): Value {
  return p.label(ops.rmsNorm(x, p.get('weight', [x.shape.at(-1) as number]), eps))
}

/** Rows of the published `weight` (count, size). ids (…) int64 → (…, size). */
export function embedding(p: Params, ids: Value, count: number, size: number): Value {
  return label(ops.gather(p.get('weight', [count, size]), ids), p.path)
}
