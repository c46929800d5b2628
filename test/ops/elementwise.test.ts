/** Values against JavaScript's own functions, element by element; gradients against central differences. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input, int64s, type Shape, scalar, type Value } from '../../src/graph/index.ts'
import {
  add,
  clip,
  div,
  equal,
  erf,
  exp,
  gelu,
  greater,
  mul,
  neg,
  relu,
  sigmoid,
  sqrt,
  sub,
  where,
} from '../../src/ops/index.ts'
import { assertNoGradient, assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { count, floats, longs, normal, numbers, type Tensor } from '../support/tensors.ts'

const x = (shape: Shape) => input('x', 'float32', shape)

/** Maclaurin series of the error function (Abramowitz & Stegun 7.1.5), in double precision. */
function erfSeries(z: number): number {
  let sum = 0
  let term = z
  for (let n = 0; n < 100; n++) {
    sum += term / (2 * n + 1)
    term *= -(z * z) / (n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

const unary: Record<string, { op: (x: Value) => Value; formula: (x: number) => number; positive?: boolean }> = {
  neg: { op: neg, formula: (z) => -z },
  exp: { op: exp, formula: Math.exp },
  sqrt: { op: sqrt, formula: Math.sqrt, positive: true },
  sigmoid: { op: sigmoid, formula: (z) => 1 / (1 + Math.exp(-z)) },
  erf: { op: erf, formula: erfSeries },
  relu: { op: relu, formula: (z) => Math.max(z, 0) },
  gelu: { op: gelu, formula: (z) => (z * (1 + erfSeries(z / Math.SQRT2))) / 2 },
}

for (const [name, { op, formula, positive }] of Object.entries(unary)) {
  /** Away from 0, where relu and the square root have no derivative. */
  const away = (tensor: Tensor) =>
    floats(
      tensor.shape,
      numbers(tensor).map((z) => (positive ? Math.abs(z) + 0.5 : z + Math.sign(z) * 0.1)),
    )

  describe(name, () => {
    test('values', async () => {
      const fed = away(floats([7], [-3, -1.5, -0.01, 0.01, 0.5, 2, 4]))
      assertTensor(await compute(op(x([7])), { x: fed }), floats([7], numbers(fed).map(formula)), 1e-6)
    })

    test('shape stays: a scalar, batch 1, nothing at all, a named size', async () => {
      for (const shape of [[], [1, 3], [0, 3]]) {
        const fed = away(normal(1, shape))
        assertTensor(await compute(op(x(shape)), { x: fed }), floats(shape, numbers(fed).map(formula)), 1e-6)
      }
      assert.deepEqual(op(x(['batch', 3])).shape, ['batch', 3])
    })

    test('gradient', async () => {
      await assertGradients({ x: away(normal(2, [4, 5])) }, (of) => op(of.x))
      await assertGradients({ x: away(normal(3, [1, 3])) }, (of) => op(of.x), { shapes: { x: ['batch', 3] } })
      await assertGradients({ x: away(normal(4, [])) }, (of) => op(of.x))
    })
  })
}

const binary: Record<string, { op: (a: Value, b: Value) => Value; formula: (a: number, b: number) => number }> = {
  Add: { op: add, formula: (a, b) => a + b },
  Sub: { op: sub, formula: (a, b) => a - b },
  Mul: { op: mul, formula: (a, b) => a * b },
  Div: { op: div, formula: (a, b) => a / b },
}

/** Shapes of a and b, of their result, and the index of the element of a and b behind each element of the result. */
const broadcasts: { a: number[]; b: number[]; y: number[]; of: (i: number) => [number, number] }[] = [
  { a: [2, 3], b: [2, 3], y: [2, 3], of: (i) => [i, i] },
  { a: [2, 3], b: [3], y: [2, 3], of: (i) => [i, i % 3] },
  { a: [], b: [2, 3], y: [2, 3], of: (i) => [0, i] },
  { a: [2, 1], b: [1, 3], y: [2, 3], of: (i) => [Math.floor(i / 3), i % 3] },
  { a: [1, 3], b: [1, 1, 3], y: [1, 1, 3], of: (i) => [i, i] },
  { a: [0, 3], b: [1, 3], y: [0, 3], of: (i) => [i, i] },
]

for (const [name, { op, formula }] of Object.entries(binary)) {
  describe(name, () => {
    const divisor = (tensor: Tensor) =>
      floats(
        tensor.shape,
        numbers(tensor).map((z) => z + Math.sign(z)),
      )

    for (const { a, b, y, of } of broadcasts) {
      test(`(${a}) and (${b}) give (${y})`, async () => {
        const fed = { a: normal(1, a), b: divisor(normal(2, b)) }
        const [left, right] = [numbers(fed.a), numbers(fed.b)]
        const expected = Array.from({ length: count(y) }, (_, i) => formula(left[of(i)[0]]!, right[of(i)[1]]!))
        const value = op(input('a', 'float32', a), input('b', 'float32', b))
        assert.deepEqual(value.shape, y)
        assertTensor(await compute(value, fed), floats(y, expected), 1e-6)
        await assertGradients(fed, (values) => op(values.a, values.b))
      })
    }

    test('named sizes: broadcast over more axes, summed back in the gradient', async () => {
      const fed = { a: normal(5, [2, 3, 4]), b: divisor(normal(6, [3, 4])) }
      const shapes = { a: ['batch', 'tokens', 4], b: ['tokens', 4] }
      assert.deepEqual(op(input('a', 'float32', shapes.a), input('b', 'float32', shapes.b)).shape, shapes.a)
      await assertGradients(fed, (values) => op(values.a, values.b), { shapes })
      const wide = { a: normal(5, [2, 3]), b: divisor(normal(6, [4, 2, 3])) }
      await assertGradients(wide, (values) => op(values.a, values.b), {
        shapes: { a: ['tokens', 'keys'], b: ['heads', 'tokens', 'keys'] },
      })
    })

    test('a size that does not fit, and a dtype', () => {
      const weight = input('mlp.fc1.bias', 'float32', [4])
      assertShapeError(() => op(x([2, 3]), weight), `${name}: x (2, 3) and mlp.fc1.bias (4)`, 'sizes 3 and 4')
      assertShapeError(() => op(x(['batch', 3]), input('y', 'float32', ['tokens', 3])), 'sizes batch and tokens')
      assertShapeError(() => op(x([2]), int64s([1, 2])), `${name}: `, 'dtypes float32 and int64 differ')
    })
  })
}

test('Sub and Add also act on whole numbers', async () => {
  const ids = input('ids', 'int64', [3])
  assertTensor(await compute(sub(ids, int64s([5], [])), { ids: longs([3], [4, 5, 6]) }), longs([3], [-1, 0, 1]))
})

describe('greater and equal', () => {
  const fed = { a: floats([2, 1], [1, 2]), b: floats([3], [0, 1, 2]) }
  const [a, b] = [input('a', 'float32', [2, 1]), input('b', 'float32', [3])]

  test('values, broadcast', async () => {
    assert.deepEqual(numbers(await compute(greater(a, b), fed)), [1, 0, 0, 1, 1, 0])
    assert.deepEqual(numbers(await compute(equal(a, b), fed)), [0, 1, 0, 0, 0, 1])
  })

  test('shapes that do not fit', () => {
    assertShapeError(() => greater(x([2]), x([3])), 'Greater: x (2) and x (3)')
    assertShapeError(() => equal(x([2]), x([3])), 'Equal: x (2) and x (3)')
  })

  test('no gradient', () => {
    const z = x([1])
    assertNoGradient(greater(z, scalar(0)), z, 'Greater', /constant/)
    assertNoGradient(equal(z, scalar(0)), z, 'Equal', /constant/)
  })
})

describe('clip', () => {
  const ids = input('ids', 'int64', [5])

  test('values', async () => {
    const clipped = clip(ids, int64s([-2], []), int64s([3], []))
    assertTensor(await compute(clipped, { ids: longs([5], [-9, -2, 0, 3, 4]) }), longs([5], [-2, -2, 0, 3, 3]))
  })

  test('no gradient', () => {
    const position = input('position', 'int64', [])
    assertNoGradient(clip(position, int64s([0], []), int64s([3], [])), position, 'Clip', /positions/)
  })

  test('limits that are no single numbers', () => {
    assertShapeError(() => clip(ids, int64s([0, 1]), int64s([3], [])), 'Clip: ids (5) and int64 (2)', 'shape ()')
  })
})

describe('where', () => {
  const choose = input('choose', 'int64', ['n', 1])
  const positive = (a: Value, b: Value) => where(greater(choose, int64s([0], [])), a, b)
  const fed = { choose: longs([2, 1], [1, 0]), a: normal(1, [2, 3]), b: normal(2, [3]) }

  test('values, broadcast', async () => {
    const chosen = positive(input('a', 'float32', ['n', 3]), scalar(7))
    assert.deepEqual(chosen.shape, ['n', 3])
    const a = floats([2, 3], [1, 2, 3, 4, 5, 6])
    assertTensor(await compute(chosen, { ...fed, a }), floats([2, 3], [1, 2, 3, 7, 7, 7]))
    const whole = positive(int64s([5], []), int64s([6], []))
    assertTensor(await compute(whole, fed), longs([2, 1], [5, 6]))
  })

  test('gradient: to the one that was chosen', async () => {
    await assertGradients(fed, ({ a, b }) => positive(a, b), { shapes: { a: ['n', 3], b: [3] } })
  })

  test('a condition of numbers, shapes and dtypes that do not fit', () => {
    assertShapeError(() => where(choose, x([2]), x([2])), 'Where: choose (n, 1) and x (2)', 'must be bool')
    assertShapeError(() => positive(x([2]), x([3])), 'Where: x (2) and x (3)')
    assertShapeError(() => positive(x([2]), int64s([1, 2])), 'dtypes float32 and int64 differ')
  })
})
