import { type Dim, int64s, shapeError, type Value } from '../graph/index.ts'
import {
  gather,
  greater,
  indicesAlong,
  putRows,
  reduceMax,
  reshape,
  reshapeLike,
  rowsWhere,
  takeRows,
  where,
} from '../ops/index.ts'

/**
 * Some tokens of a batch as rows behind each other. What acts on each token by itself (norms, linear layers) takes these rows and so computes
 * nothing for padding; what looks at other tokens (attention) needs them in their places.
 */
export interface TokenRows {
  /** x (tokens, batch, size) → the rows of these tokens (rows, size). */
  take(x: Value): Value
  /** y (rows, size) → (tokens, batch, size), zeros for the other tokens. */
  put(y: Value): Value
}

/** Every token is a row, where it is: nothing is moved. */
export const allTokens: TokenRows = { take: (x) => x, put: (y) => y }

export interface SomeTokens extends TokenRows {
  /** ids (tokens, batch) → those of the rows (rows). */
  pick(ids: Value): Value
}

/** The tokens whose flag is not 0. flags (tokens, batch) int64; `name` is what their number is called. */
export function someTokens(flags: Value, name: string): SomeTokens {
  if (flags.shape.length !== 2) throw shapeError('someTokens', [flags], 'expected (tokens, batch)')
  const rows = rowsWhere(reshape(flags, [-1]), name)
  const places = reshape(flags, [...flags.shape, 1])
  return {
    pick: (ids) => gather(reshape(ids, [-1]), rows.indices),
    take: (x) => takeRows(reshape(x, [-1, x.shape.at(-1) as number]), rows),
    put: (y) => reshapeLike(putRows(y, rows), places, y.shape.at(-1) as number),
  }
}

/** 1 up to the last flag of an item that is not 0, behind it 0. flags (tokens, batch) int64 of 0 and 1. */
export function untilLast(flags: Value): Value {
  const [zero, one] = [int64s([0], []), int64s([1], [])]
  const order = reshape(indicesAlong(flags, 0), [flags.shape[0] as Dim, 1])
  const last = reduceMax(where(greater(flags, zero), order, int64s([-1], [])), [0])
  return where(greater(order, last), zero, one)
}
