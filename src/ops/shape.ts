/** Operators that move elements without computing with them. */
import { ShapeError } from '../errors.ts'
import {
  addDims,
  type Dim,
  frontAxis,
  int,
  int64s,
  ints,
  multiNode,
  multiplyDims,
  node,
  type Shape,
  scalar,
  shapeError,
  showShape,
  type Value,
} from '../graph/index.ts'
import { sub } from './elementwise.ts'
import { unbroadcast } from './reduce.ts'

/**
 * The same elements, in order, under another shape. At most one size may be named or -1 unless it stands at the same
 * axis as in x. dx = dy under x's shape.
 */
export function reshape(x: Value, shape: Shape): Value {
  const wanted = completeShape(x, shape)
  const zeroKeeps = wanted.map((dim, axis) => (typeof dim === 'string' && dim === x.shape[axis] ? 0 : dim))
  const open = zeroKeeps.filter((dim) => typeof dim === 'string').length
  if (open > 1)
    throw shapeError('Reshape', [x], `${showShape(shape)} leaves ${open} named sizes open; one can be inferred`)
  const target = zeroKeeps.map((dim) => (typeof dim === 'string' ? -1 : dim))
  return node('Reshape', [x, int64s(target)], {
    shape: wanted,
    gradient: (dy) => [reshapeLike(dy!, x), undefined],
  })
}

/** y under the shape that x has when the graph runs, but with another last size if one is given. */
export function reshapeLike(y: Value, x: Value, lastSize?: number): Value {
  const shape = lastSize === undefined ? x.shape : [...x.shape.slice(0, -1), lastSize]
  const open = shape.filter((dim, axis) => typeof dim === 'string' && dim !== y.shape[axis]).length
  if (open <= 1) return reshape(y, shape)
  const sizes = shapeOf(x)
  const target = lastSize === undefined ? sizes : concat([slice(sizes, 0, 0, shape.length - 1), int64s([lastSize])], 0)
  return node('Reshape', [y, target], { shape, gradient: (dy) => [reshapeLike(dy!, y), undefined] })
}

/** Replaces -1 and checks that the number of elements stays, named sizes included. */
function completeShape(x: Value, shape: Shape): Dim[] {
  const split = (dims: Shape) => ({
    fixed: dims.reduce<number>((n, dim) => (typeof dim === 'number' && dim !== -1 ? n * dim : n), 1),
    named: dims.filter((dim) => typeof dim === 'string').sort(),
  })
  const before = split(x.shape)
  const after = split(shape)
  const rest = [...before.named]
  for (const name of after.named) {
    const at = rest.indexOf(name)
    if (at >= 0) rest.splice(at, 1)
    else if (rest.length === 0) throw shapeError('Reshape', [x], `${showShape(shape)} has the unknown size ${name}`)
  }
  const hole = shape.indexOf(-1)
  if (hole !== shape.lastIndexOf(-1)) throw shapeError('Reshape', [x], `${showShape(shape)} leaves two sizes open`)
  if (hole < 0) {
    if (before.fixed !== after.fixed && rest.length === 0) {
      throw shapeError('Reshape', [x], `${showShape(shape)} has another number of elements`)
    }
    return [...shape]
  }
  const quotient = before.fixed / after.fixed
  if (rest.length === 0 && !Number.isInteger(quotient)) {
    throw shapeError('Reshape', [x], `${showShape(shape)} does not divide its elements`)
  }
  const filled = multiplyDims([quotient, ...rest])
  return shape.map((dim, axis) => (axis === hole ? filled : dim))
}

/** y's axis i is x's axis order[i]. dx = dy put back. */
export function transpose(x: Value, order: readonly number[]): Value {
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== x.shape.length) {
    throw shapeError('Transpose', [x], `order ${showShape(order)} is not a permutation of its axes`)
  }
  const back = order.map((_, axis) => order.indexOf(axis))
  return node('Transpose', [x], {
    shape: order.map((axis) => x.shape[axis] as Dim),
    attributes: { perm: ints(order) },
    gradient: (dy) => [transpose(dy!, back)],
  })
}

/** x with its last two axes exchanged. */
export function swapLast(x: Value): Value {
  const rank = x.shape.length
  const axes = Array.from({ length: rank }, (_, axis) => axis)
  return transpose(x, [...axes.slice(0, -2), rank - 1, rank - 2])
}

/** Values joined along an axis. Each gets its part of dy. */
export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0]
  if (!first) throw new ShapeError('Concat: no values to join')
  const front = frontAxis('Concat', first, axis)
  for (const one of values) {
    const fits =
      one.shape.length === first.shape.length && one.shape.every((dim, i) => i === front || dim === first.shape[i])
    if (!fits) throw shapeError('Concat', [first, one], `all axes but ${front} must agree`)
  }
  const along = values.map((one) => one.shape[front] as Dim)
  return node('Concat', values, {
    shape: first.shape.map((dim, i) => (i === front ? addDims(along) : dim)),
    attributes: { axis: int(front) },
    gradient: (dy) => split(dy!, along, front),
  })
}

/** x cut along an axis into pieces of the given sizes, of which at most one may be named. dx = the joined dy. */
export function split(x: Value, sizes: readonly Dim[], axis: number): Value[] {
  const front = frontAxis('Split', x, axis)
  if (addDims(sizes) !== x.shape[front]) {
    throw shapeError('Split', [x], `pieces ${showShape(sizes)} do not add up to axis ${front}`)
  }
  const pieces = multiNode('Split', [x, splitSizes(x, sizes, front)], {
    shapes: sizes.map((size) => x.shape.map((dim, i) => (i === front ? size : dim))),
    attributes: { axis: int(front) },
    gradient: (...dys) => [
      concat(
        dys.map((dy, i) => dy ?? zerosLike(pieces[i] as Value)),
        front,
      ),
      undefined,
    ],
  })
  return pieces
}

function splitSizes(x: Value, sizes: readonly Dim[], axis: number): Value {
  const fixed = sizes.filter((size) => typeof size === 'number')
  if (fixed.length === sizes.length) return int64s(fixed)
  if (fixed.length < sizes.length - 1)
    throw shapeError('Split', [x], `${showShape(sizes)} has more than one named piece`)
  const rest = sub(sizeOf(x, axis), int64s([fixed.reduce((a, b) => a + b, 0)]))
  return concat(
    sizes.map((size) => (typeof size === 'number' ? int64s([size]) : rest)),
    0,
  )
}

/**
 * x[start:end] along an axis, to its end if no `end` is given. An axis of named size must reach to `end` when the graph runs.
 * dx = dy between zeros.
 */
export function slice(x: Value, axis: number, start: number, end?: number): Value {
  const front = frontAxis('Slice', x, axis)
  const size = x.shape[front] as Dim
  const stop = end ?? size
  const fits = typeof stop !== 'number' || (start <= stop && (typeof size !== 'number' || stop <= size))
  if (start < 0 || !fits) throw shapeError('Slice', [x], `range ${start}:${stop} leaves axis ${front}`)
  if (start === 0 && stop === size) return x
  const length = addDims([stop, -start])
  const last = typeof stop === 'number' ? stop : Number.MAX_SAFE_INTEGER
  return node('Slice', [x, int64s([start]), int64s([last]), int64s([front])], {
    shape: x.shape.map((dim, i) => (i === front ? length : dim)),
    gradient: (dy) => {
      const pads = [...x.shape.map((_, i) => (i === front ? int64s([start]) : none)), ...x.shape.map(() => none)]
      if (typeof stop === 'number') pads[x.shape.length + front] = sub(sizeOf(x, front), int64s([stop]))
      const dx = node('Pad', [dy!, concat(pads, 0)], {
        shape: x.shape,
        gradient: (d) => [slice(d!, front, start, end), undefined],
      })
      return [dx]
    },
  })
}

/** No padding. */
const none = int64s([0])

/** x stretched by broadcasting to the shape of another value. dx = dy summed back. */
export function expandLike(x: Value, like: Value): Value {
  const reaches = like.shape.slice(like.shape.length - x.shape.length)
  if (x.shape.length > like.shape.length || x.shape.some((dim, i) => dim !== 1 && dim !== reaches[i])) {
    throw shapeError('Expand', [x, like], 'the first cannot be stretched to the second')
  }
  return node('Expand', [x, shapeOf(like)], {
    shape: like.shape,
    gradient: (dy) => [unbroadcast(dy!, x.shape), undefined],
  })
}

/** x with its axis of size 1 repeated as often as another value is long along `likeAxis`. dx = Σ dy along the axis. */
export function repeatAxis(x: Value, axis: number, like: Value, likeAxis: number): Value {
  const front = frontAxis('Expand', x, axis)
  const from = frontAxis('Expand', like, likeAxis)
  if (x.shape[front] !== 1) throw shapeError('Expand', [x], `axis ${front} is repeated, so it must have size 1`)
  const ones = int64s(x.shape.map(() => 1))
  const target = concat([slice(ones, 0, 0, front), sizeOf(like, from), slice(ones, 0, front + 1)], 0)
  return node('Expand', [x, target], {
    shape: x.shape.map((dim, i) => (i === front ? (like.shape[from] as Dim) : dim)),
    gradient: (dy) => [unbroadcast(dy!, x.shape), undefined],
  })
}

/** Sizes of x when the graph runs, int64 of shape (rank). */
export function shapeOf(x: Value): Value {
  return node('Shape', [x], { shape: [x.shape.length], dtype: 'int64', gradient: 'sizes are whole numbers' })
}

/** Size of x's axis (counted from the front) when the graph runs, int64 of shape (1). */
export function sizeOf(x: Value, axis: number): Value {
  return slice(shapeOf(x), 0, axis, axis + 1)
}

/** 0, 1, 2, … as many as x is long along its axis when the graph runs, int64. */
export function indicesAlong(x: Value, axis: number): Value {
  const front = frontAxis('Range', x, axis)
  return node('Range', [int64s([0], []), reshape(sizeOf(x, front), []), int64s([1], [])], {
    shape: [x.shape[front] as Dim],
    gradient: 'indices are whole numbers',
  })
}

/** float32 zeros of the shape that x has when the graph runs. */
export function zerosLike(x: Value): Value {
  return expandLike(scalar(0), x)
}

/** x without its first `count` axes, which have size 1. dx = dy with them in front. */
export function dropFrontAxes(x: Value, count: number): Value {
  const axes = int64s(x.shape.slice(0, count).map((_, axis) => axis))
  const gradient = (dy: Value | undefined) => [
    node('Unsqueeze', [dy!, axes], { shape: x.shape, gradient: (d) => [dropFrontAxes(d!, count), undefined] }),
    undefined,
  ]
  return node('Squeeze', [x, axes], { shape: x.shape.slice(count), gradient })
}
