import { type Dim, int, node, shapeError, text, type Value } from '../graph/index.ts'
import { cast } from './cast.ts'
import { equal } from './elementwise.ts'
import { matmul } from './matmul.ts'
import { expandLike, indicesAlong, reshape, swapLast, zerosLike } from './shape.ts'

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

/**
 * Items of a batch, in any order and any number of times. x (rows, batch, size), items (count) int64 → (rows, count, size).
 * dx = hitsᵀ·dy, where hits (count, batch) is 1 for each item that was taken: all threads share a product, one scatters.
 */
export function takeItems(x: Value, items: Value): Value {
  if (x.shape.length !== 3 || items.shape.length !== 1) {
    throw shapeError('Gather', [x, items], 'expected (rows, batch, size) and (count)')
  }
  const [rows, , size] = x.shape as [Dim, Dim, Dim]
  return node('Gather', [x, items], {
    shape: [rows, items.shape[0] as Dim, size],
    attributes: { axis: int(1) },
    gradient: (dy) => [matmul(swapLast(oneHot(items, indicesAlong(x, 1))), dy!), undefined],
  })
}

/** y[…, i] = 1 where indices[…] = classes[i], else 0. indices (…) int64, classes (c) int64 → (…, c). */
export function oneHot(indices: Value, classes: Value): Value {
  if (classes.shape.length !== 1) throw shapeError('oneHot', [indices, classes], 'the classes need one axis')
  return cast(equal(reshape(indices, [...indices.shape, 1]), classes), 'float32')
}
