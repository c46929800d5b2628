import { int, node, shapeError, text, type Value } from '../graph/index.ts'
import { cast } from './cast.ts'
import { equal } from './elementwise.ts'
import { expandLike, reshape, zerosLike } from './shape.ts'

/** Rows of `table` along axis 0. table (n, …), indices (…i) int64 → (…i, …). dtable = dy added up per row. */
export function gather(table: Value, indices: Value): Value {
  if (table.shape.length === 0) throw shapeError('Gather', [table, indices], 'the table needs an axis of rows')
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32') {
    throw shapeError('Gather', [table, indices], `indices must be whole numbers, found ${indices.dtype}`)
  }
  return node('Gather', [table, indices], {
    shape: [...indices.shape, ...table.shape.slice(1)],
    attributes: { axis: int(0) },
    gradient: (dy) => [scatterAdd(table, indices, dy!), undefined],
  })
}

/**
 * Zeros of the table's shape with dy's rows added at their indices. ScatterElements adds one after the other; ScatterND
 * (ONNX Runtime 1.30, CPU) loses sums when two threads meet at one row.
 */
function scatterAdd(table: Value, indices: Value, dy: Value): Value {
  const row = table.shape.slice(1)
  const rows = reshape(dy, [-1, ...row])
  const places = reshape(indices, [-1])
  const spread = expandLike(reshape(places, [places.shape[0]!, ...row.map(() => 1)]), rows)
  return node('ScatterElements', [zerosLike(table), spread, rows], {
    shape: table.shape,
    attributes: { axis: int(0), reduction: text('add') },
    gradient: (d) => [undefined, undefined, gather(d!, places)],
  })
}

/** y[…, i] = 1 where indices[…] = classes[i], else 0. indices (…) int64, classes (c) int64 → (…, c). */
export function oneHot(indices: Value, classes: Value): Value {
  if (classes.shape.length !== 1) throw shapeError('oneHot', [indices, classes], 'the classes need one axis')
  return cast(equal(reshape(indices, [...indices.shape, 1]), classes), 'float32')
}
