import { int64s, node, scalar, type Value } from '../graph/index.ts'
import { cast } from './cast.ts'
import { greater } from './elementwise.ts'
import { reduceSum } from './reduce.ts'
import { concat, reshape, slice } from './shape.ts'

/**
 * x, bit for bit, but no sooner than all of `ys` are known: what is computed from it cannot run before that, nor be joined with the same
 * computed from x itself. Each y is float32 of any shape, with at least one number. dx = dy.
 *
 * It is x from its row 0 on, at the price of a copy. That this 0 is no constant is where ys come in: it counts the ys whose first number is
 * larger than infinity, which none is, NaN included. (A Reshape would not copy, but ONNX Runtime joins reshapes of known sizes, and loses it.)
 */
export function onceKnown(x: Value, ys: readonly Value[]): Value {
  if (x.shape.length === 0) return reshape(onceKnown(reshape(x, [1]), ys), [])
  const firsts = concat(
    ys.map((y) => slice(reshape(y, [-1]), 0, 0, 1)),
    0,
  )
  const zero = reduceSum(cast(greater(firsts, scalar(Number.POSITIVE_INFINITY)), 'int64'), [0])
  return node('Slice', [x, zero, int64s([Number.MAX_SAFE_INTEGER]), int64s([0])], {
    shape: x.shape,
    gradient: (dy) => [dy, undefined],
  })
}
