/** Masks made inside of a graph from what it reads. They are added to attention scores. */
import { constant, type Dim, int64s, scalar, type Value } from '../graph/index.ts'
import { concat, equal, greater, indicesAlong, repeatAxis, reshape, transpose, where } from '../ops/index.ts'

/** What a hidden key's score is lowered by: BERT's number, so that a row which sees nothing is no NaN. */
const HIDDEN = scalar(-10000)

/** ids (tokens, batch) → (batch, 1, 1, tokens): padding is hidden. */
export function paddingMask(ids: Value, padTokenId: number): Value {
  const [tokens, batch] = ids.shape as [Dim, Dim]
  const hidden = where(equal(ids, int64s([padTokenId], [])), HIDDEN, scalar(0))
  return reshape(transpose(hidden, [1, 0]), [batch, 1, 1, tokens])
}

/** A mask (batch, 1, 1, tokens) with `queries` keys in front that everything may see. */
export function behindQueries(mask: Value, queries: number): Value {
  const visible = repeatAxis(constant(new Float32Array(queries), [1, 1, 1, queries]), 0, mask, 0)
  return concat([visible, mask], 3)
}

/** x (tokens, …) behind `queries` rows → (tokens, queries + tokens): a token sees those rows, itself and what is before it. */
export function causalMask(x: Value, queries = 0): Value {
  const rows = indicesAlong(x, 0)
  const keys = queries === 0 ? rows : concat([int64s(new Array<number>(queries).fill(-1)), rows], 0)
  const later = greater(reshape(keys, [1, keys.shape[0] as Dim]), reshape(rows, [rows.shape[0] as Dim, 1]))
  return where(later, HIDDEN, scalar(0))
}
