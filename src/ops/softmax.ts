import { int, int64s, node, scalar, shapeError, text, type Value } from '../graph/index.ts'
import { add, exp, mul, sub } from './elementwise.ts'
import { reduceSum } from './reduce.ts'
import { reshape, zerosLike } from './shape.ts'

/** y = eˣ / Σ eˣ over the last axis. dx = y·(dy - Σ dy·y). */
export function softmax(x: Value): Value {
  const y: Value = node('Softmax', [x], {
    shape: x.shape,
    attributes: { axis: int(-1) },
    gradient: (dy) => [mul(y, sub(dy!, reduceSum(mul(dy!, y), [-1])))],
  })
  return y
}

/** y = x - ln Σ eˣ over the last axis. dx = dy - eʸ·Σ dy. */
export function logSoftmax(x: Value): Value {
  const y: Value = node('LogSoftmax', [x], {
    shape: x.shape,
    attributes: { axis: int(-1) },
    gradient: (dy) => [sub(dy!, mul(exp(y), reduceSum(dy!, [-1])))],
  })
  return y
}

/**
 * y = ln Σ eˣ - Σ t·x over the last axis: how surprising the target t is, which is 1 - smoothing at one label of each row and
 * smoothing / n everywhere. x (…, n), labels (…) int64 → (…). dx = dy·(softmax(x) - t), the only tensor of x's size that is made.
 */
export function surprise(x: Value, labels: Value, smoothing: number): Value {
  const classes = x.shape.at(-1)
  if (typeof classes !== 'number' || x.shape.slice(0, -1).join() !== labels.shape.join()) {
    throw shapeError('surprise', [x, labels], 'expected (…, n) with a fixed n, and (…)')
  }
  const places = reshape(labels, [...labels.shape, 1])
  const sum = node('ReduceLogSumExp', [x, int64s([-1])], {
    shape: places.shape,
    attributes: { keepdims: int(1) },
    gradient: (dy) => {
      const spread = mul(sub(softmax(x), scalar(smoothing / classes)), dy!)
      return [addInPlaces(spread, places, mul(dy!, scalar(smoothing - 1))), undefined]
    },
  })
  // The gradient of the sum is that of the whole.
  const atLabel = node('GatherElements', [x, places], {
    shape: places.shape,
    attributes: { axis: int(-1) },
    gradient: () => [undefined, undefined],
  })
  const mean = node('ReduceMean', [x, int64s([-1])], {
    shape: places.shape,
    attributes: { keepdims: int(1) },
    gradient: () => [undefined, undefined],
  })
  return reshape(sub(sum, add(mul(atLabel, scalar(1 - smoothing)), mul(mean, scalar(smoothing)))), labels.shape)
}

/** x with one number added to each row of its last axis. x (…, n), places and numbers (…, 1). */
function addInPlaces(x: Value, places: Value, numbers: Value): Value {
  return node('ScatterElements', [x, places, numbers], {
    shape: x.shape,
    attributes: { axis: int(-1), reduction: text('add') },
    gradient: (d) => [
      d,
      undefined,
      node('GatherElements', [d!, places], {
        shape: places.shape,
        attributes: { axis: int(-1) },
        gradient: (dd) => [addInPlaces(zerosLike(x), places, dd!), undefined],
      }),
    ],
  })
}
