/** Sums, means and maxima over axes. */
import { type Dim, frontAxis, int, int64s, node, type Shape, scalar, shapeError, type Value } from '../graph/index.ts'
import { cast } from './cast.ts'
import { div, equal, mul } from './elementwise.ts'
import { expandLike, reshape, sizeOf } from './shape.ts'

/** y = Σ x over `axes`, which stay as axes of size 1. dx = dy, spread. */
export function reduceSum(x: Value, axes: readonly number[]): Value {
  return node('ReduceSum', [x, int64s(axes)], {
    shape: reducedShape('ReduceSum', x, axes),
    attributes: { keepdims: int(1) },
    gradient: (dy) => [expandLike(dy!, x), undefined],
  })
}

/** y = mean of x over `axes`, which stay as axes of size 1. dx = dy / count, spread. */
export function reduceMean(x: Value, axes: readonly number[]): Value {
  return node('ReduceMean', [x, int64s(axes)], {
    shape: reducedShape('ReduceMean', x, axes),
    attributes: { keepdims: int(1) },
    gradient: (dy) => [expandLike(div(dy!, countOf(x, axes)), x), undefined],
  })
}

/** y = max of x over `axes`, which stay as axes of size 1. dx = dy at the maxima, shared between equal ones. */
export function reduceMax(x: Value, axes: readonly number[]): Value {
  const y: Value = node('ReduceMax', [x, int64s(axes)], {
    shape: reducedShape('ReduceMax', x, axes),
    attributes: { keepdims: int(1) },
    gradient: (dy) => {
      const atMaximum = cast(equal(x, y), x.dtype)
      return [mul(atMaximum, div(dy!, reduceSum(atMaximum, axes))), undefined]
    },
  })
  return y
}

/** Index of the (first) maximum of each row of the last axis: x (…, n) → (…) int64. */
export function argMax(x: Value): Value {
  if (x.shape.length === 0) throw shapeError('ArgMax', [x], 'there is no last axis')
  return node('ArgMax', [x], {
    shape: x.shape.slice(0, -1),
    dtype: 'int64',
    attributes: { axis: int(-1), keepdims: int(0) },
    gradient: 'an index is constant almost everywhere',
  })
}

/** Sums y's gradient over the axes that broadcasting stretched, so that it has `shape` again. */
export function unbroadcast(dy: Value, shape: Shape): Value {
  const extra = dy.shape.length - shape.length
  const stretched = shape.flatMap((dim, axis) => (dim === 1 && dy.shape[extra + axis] !== 1 ? [extra + axis] : []))
  const summed = stretched.length > 0 ? reduceSum(dy, stretched) : dy
  return extra > 0 ? sumFrontAxes(summed, extra) : summed
}

/** y = Σ x over its first `count` axes, which go. dx = dy, spread. */
function sumFrontAxes(x: Value, count: number): Value {
  const axes = int64s(x.shape.slice(0, count).map((_, axis) => axis))
  return node('ReduceSum', [x, axes], {
    shape: x.shape.slice(count),
    attributes: { keepdims: int(0) },
    gradient: (dy) => [expandLike(dy!, x), undefined],
  })
}

/** Number of elements along `axes`, as a float32 of shape (). Fixed sizes are a constant; named ones are read at run time. */
function countOf(x: Value, axes: readonly number[]): Value {
  const front = axes.map((axis) => frontAxis('ReduceMean', x, axis))
  const dims = front.map((axis) => x.shape[axis] as Dim)
  if (dims.every((dim) => typeof dim === 'number')) return scalar(dims.reduce<number>((n, dim) => n * dim, 1))
  return front.map((axis) => cast(reshape(sizeOf(x, axis), []), 'float32')).reduce(mul)
}

function reducedShape(op: string, x: Value, axes: readonly number[]): Dim[] {
  if (axes.length === 0) throw shapeError(op, [x], 'no axes to reduce')
  const front = new Set(axes.map((axis) => frontAxis(op, x, axis)))
  return x.shape.map((dim, axis) => (front.has(axis) ? 1 : dim))
}
