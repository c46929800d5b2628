/** Operators on some of the rows of a value. */
import { constant, type Dim, node, shapeError, text, type Value } from '../graph/index.ts'
import { repeatAxis, reshape } from './shape.ts'

/** Some of n rows, each once. */
export interface Rows {
  /** (n): not 0 for these rows. */
  readonly flags: Value
  /** (k) int64: which they are, in order. */
  readonly indices: Value
}

/** The rows whose flags (n) are not 0, when the graph runs. `name` is what their number is called. */
export function rowsWhere(flags: Value, name: string): Rows {
  if (flags.shape.length !== 1) throw shapeError('NonZero', [flags], 'expected one axis')
  const found = node('NonZero', [flags], {
    shape: [1, name],
    dtype: 'int64',
    gradient: 'an index is constant almost everywhere',
  })
  return { flags, indices: reshape(found, [name]) }
}

/** x (n, size) → its rows (k, size). dx = dy put back. */
export function takeRows(x: Value, rows: Rows): Value {
  if (x.shape.length !== 2 || x.shape[0] !== rows.flags.shape[0]) {
    throw shapeError('takeRows', [x, rows.flags], 'expected (n, size) and (n)')
  }
  return node('Gather', [x, rows.indices], {
    shape: [rows.indices.shape[0] as Dim, x.shape[1] as Dim],
    gradient: (dy) => [putRows(dy!, rows), undefined],
  })
}

/** y (k, size) → (n, size), zeros in the other rows. dy = these rows of dx. */
export function putRows(y: Value, rows: Rows): Value {
  const size = y.shape[1]
  if (y.shape.length !== 2 || y.shape[0] !== rows.indices.shape[0] || typeof size !== 'number') {
    throw shapeError('putRows', [y, rows.indices], 'expected (k, a fixed size) and (k)')
  }
  const zeros = repeatAxis(constant(new Float32Array(size), [1, size]), 0, rows.flags, 0)
  return node('ScatterND', [zeros, reshape(rows.indices, [y.shape[0] as Dim, 1]), y], {
    shape: zeros.shape,
    attributes: { reduction: text('none') },
    gradient: (d) => [undefined, undefined, takeRows(d!, rows)],
  })
}
