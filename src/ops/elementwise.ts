/** Operators that act element by element, with NumPy broadcasting. */
import { broadcastShapes, node, scalar, shapeError, type Value } from '../graph/index.ts'
import { cast } from './cast.ts'
import { unbroadcast } from './reduce.ts'

/** y = a + b. da = dy, db = dy. */
export function add(a: Value, b: Value): Value {
  return node('Add', [a, b], {
    shape: broadcastShapes('Add', a, b),
    gradient: (dy) => [unbroadcast(dy!, a.shape), unbroadcast(dy!, b.shape)],
  })
}

/** y = a - b. da = dy, db = -dy. */
export function sub(a: Value, b: Value): Value {
  return node('Sub', [a, b], {
    shape: broadcastShapes('Sub', a, b),
    gradient: (dy) => [unbroadcast(dy!, a.shape), unbroadcast(neg(dy!), b.shape)],
  })
}

/** y = a·b. da = dy·b, db = dy·a. */
export function mul(a: Value, b: Value): Value {
  return node('Mul', [a, b], {
    shape: broadcastShapes('Mul', a, b),
    gradient: (dy) => [unbroadcast(mul(dy!, b), a.shape), unbroadcast(mul(dy!, a), b.shape)],
  })
}

/** y = a / b. da = dy / b, db = -dy·a / b². */
export function div(a: Value, b: Value): Value {
  return node('Div', [a, b], {
    shape: broadcastShapes('Div', a, b),
    gradient: (dy) => [unbroadcast(div(dy!, b), a.shape), unbroadcast(neg(div(mul(dy!, a), mul(b, b))), b.shape)],
  })
}

/** y = -x. */
export function neg(x: Value): Value {
  return node('Neg', [x], { shape: x.shape, gradient: (dy) => [neg(dy!)] })
}

/** y = eˣ. dx = dy·y. */
export function exp(x: Value): Value {
  const y: Value = node('Exp', [x], { shape: x.shape, gradient: (dy) => [mul(dy!, y)] })
  return y
}

/** y = √x. dx = dy / 2y. */
export function sqrt(x: Value): Value {
  const y: Value = node('Sqrt', [x], { shape: x.shape, gradient: (dy) => [div(dy!, mul(scalar(2), y))] })
  return y
}

/** y = 1 / (1 + e⁻ˣ). dx = dy·y·(1 - y). */
export function sigmoid(x: Value): Value {
  const y: Value = node('Sigmoid', [x], {
    shape: x.shape,
    gradient: (dy) => [mul(dy!, mul(y, sub(scalar(1), y)))],
  })
  return y
}

/** Error function. dx = dy·2/√π·e^(-x²). */
export function erf(x: Value): Value {
  return node('Erf', [x], {
    shape: x.shape,
    gradient: (dy) => [mul(dy!, mul(scalar(2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x)))))],
  })
}

/** y = max(x, 0). dx = dy where x > 0. */
export function relu(x: Value): Value {
  return node('Relu', [x], { shape: x.shape, gradient: (dy) => [mul(dy!, cast(greater(x, scalar(0)), x.dtype))] })
}

/** The exact GELU, y = x·Φ(x) with Φ(x) = (1 + erf(x/√2)) / 2. dx = dy·(Φ(x) + x·e^(-x²/2)/√(2π)). */
export function gelu(x: Value): Value {
  return node('Gelu', [x], {
    shape: x.shape,
    gradient: (dy) => {
      const phi = mul(scalar(0.5), add(scalar(1), erf(mul(x, scalar(Math.SQRT1_2)))))
      const density = mul(scalar(1 / Math.sqrt(2 * Math.PI)), exp(mul(scalar(-0.5), mul(x, x))))
      return [mul(dy!, add(phi, mul(x, density)))]
    },
  })
}

/** CLIP's approximation of GELU, y = x·σ(1.702 x). */
export function quickGelu(x: Value): Value {
  return mul(x, sigmoid(mul(x, scalar(1.702))))
}

/** a > b, element by element. */
export function greater(a: Value, b: Value): Value {
  return node('Greater', [a, b], {
    shape: broadcastShapes('Greater', a, b),
    dtype: 'bool',
    gradient: 'a comparison is constant almost everywhere',
  })
}

/** a = b, element by element. */
export function equal(a: Value, b: Value): Value {
  return node('Equal', [a, b], {
    shape: broadcastShapes('Equal', a, b),
    dtype: 'bool',
    gradient: 'a comparison is constant almost everywhere',
  })
}

/** a where the condition holds, else b. da = dy where it holds, db = dy where it does not. */
export function where(condition: Value, a: Value, b: Value): Value {
  if (condition.dtype !== 'bool') throw shapeError('Where', [condition, a, b], 'the condition must be bool')
  const between = { ...a, shape: broadcastShapes('Where', a, b) }
  return node('Where', [condition, a, b], {
    shape: broadcastShapes('Where', { ...condition, dtype: a.dtype }, between),
    dtype: a.dtype,
    gradient: (dy) => [
      undefined,
      unbroadcast(where(condition, dy!, scalar(0)), a.shape),
      unbroadcast(where(condition, scalar(0), dy!), b.shape),
    ],
  })
}

/** x limited to [low, high], two numbers of shape (). For whole numbers (positions), which have no gradient. */
export function clip(x: Value, low: Value, high: Value): Value {
  for (const limit of [low, high]) {
    if (limit.shape.length > 0) throw shapeError('Clip', [x, limit], 'a limit has shape ()')
  }
  return node('Clip', [x, low, high], { shape: x.shape, gradient: 'it is meant for positions, whole numbers' })
}
