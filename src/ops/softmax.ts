import { int, int64s, node, type Value } from '../graph/index.ts'
import { exp, mul, sub } from './elementwise.ts'
import { reduceSum } from './reduce.ts'

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

/** y = ln Σ eˣ over the last axis, which stays as an axis of size 1. dx = dy·softmax(x). */
export function logSumExp(x: Value): Value {
  return node('ReduceLogSumExp', [x, int64s([-1])], {
    shape: [...x.shape.slice(0, -1), 1],
    attributes: { keepdims: int(1) },
    gradient: (dy) => [mul(softmax(x), dy!), undefined],
  })
}
