import { type Dim, frontAxis, int, node, type Shape, shapeError, text, type Value } from '../graph/index.ts'
import { cast } from './cast.ts'
import { reshape, shapeOf } from './shape.ts'

/** Rows of `table` along axis 0. table (n, …), indices (…i) int64 → (…i, …). dtable = dy added up per row. */
export function gather(table: Value, indices: Value): Value {
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32') {
    throw shapeError('Gather', [table, indices], `indices must be whole numbers, found ${indices.dtype}`)
  }
  return node('Gather', [table, indices], {
    shape: [...indices.shape, ...table.shape.slice(1)],
    attributes: { axis: int(0) },
    gradient: (dy) => [scatterAdd(table, reshape(indices, [...indices.shape, 1]), dy!), undefined],
  })
}

/** Zeros of the table's shape with dy's rows added at their indices. */
function scatterAdd(table: Value, indices: Value, dy: Value): Value {
  const empty = node('ConstantOfShape', [shapeOf(table)], {
    shape: table.shape,
    dtype: 'float32',
    gradient: 'a constant',
  })
  return node('ScatterND', [empty, indices, dy], {
    shape: table.shape,
    attributes: { reduction: text('add') },
    gradient: (d) => [undefined, undefined, gather(d!, reshape(indices, indices.shape.slice(0, -1)))],
  })
}

/** y[…, c] = 1 where c = indices[…], else 0; an index outside 0..classes-1 gives a row of zeros. */
export function oneHot(indices: Value, classes: Value): Value {
  const count = classes.shape[0] as Dim
  const shape: Shape = [...indices.shape, count]
  const hit = node('Equal', [reshape(indices, [...indices.shape, 1]), classes], {
    shape,
    dtype: 'bool',
    gradient: 'indices have no gradient',
  })
  return cast(hit, 'float32')
}

/** Where `condition` holds a, elsewhere b (all of one shape or broadcast to a's). da = dy where it holds, db elsewhere. */
export function where(condition: Value, a: Value, b: Value): Value {
  frontAxis('Where', condition, -1)
  return node('Where', [condition, a, b], { shape: condition.shape, dtype: a.dtype, gradient: 'used on masks only' })
}
