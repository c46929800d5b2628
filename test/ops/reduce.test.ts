/** Values by hand and against a loop over all elements. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { input, type Shape, type Value } from '../../src/graph/index.ts'
import { argMax, cast, reduceMax, reduceMean, reduceSum, unbroadcast } from '../../src/ops/index.ts'
import { assertNoGradient, assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs, normal, numbers } from '../support/tensors.ts'

const reductions: Record<string, { op: (x: Value, axes: readonly number[]) => Value; of: (all: number[]) => number }> =
  {
    ReduceSum: { op: reduceSum, of: (all) => all.reduce((a, b) => a + b) },
    ReduceMean: { op: reduceMean, of: (all) => all.reduce((a, b) => a + b) / all.length },
    ReduceMax: { op: reduceMax, of: (all) => Math.max(...all) },
  }

for (const [name, { op, of }] of Object.entries(reductions)) {
  describe(name, () => {
    const x = normal(1, [2, 3, 4])
    const values = numbers(x)
    /** Groups of elements that belong together, in the order of the result. */
    const cases: { axes: number[]; shape: number[]; groups: number[][] }[] = [
      { axes: [0], shape: [1, 3, 4], groups: Array.from({ length: 12 }, (_, i) => [i, i + 12]) },
      { axes: [-1], shape: [2, 3, 1], groups: Array.from({ length: 6 }, (_, i) => [0, 1, 2, 3].map((k) => 4 * i + k)) },
      {
        axes: [0, -1],
        shape: [1, 3, 1],
        groups: [0, 1, 2].map((i) => [0, 1, 2, 3, 12, 13, 14, 15].map((k) => 4 * i + k)),
      },
      { axes: [0, 1, 2], shape: [1, 1, 1], groups: [values.map((_, i) => i)] },
    ]
    for (const { axes, shape, groups } of cases) {
      test(`axes ${axes}`, async () => {
        const value = op(input('x', 'float32', x.shape), axes)
        assert.deepEqual(value.shape, shape)
        const expected = floats(
          shape,
          groups.map((group) => of(group.map((i) => values[i]!))),
        )
        assertTensor(await compute(value, { x }), expected, 1e-6)
        // The largest elements are further apart than the two steps of the difference.
        await assertGradients({ x }, (inputs) => op(inputs.x, axes), { step: 1 / 128, tolerance: 5e-4 })
        await assertGradients({ x }, (inputs) => op(inputs.x, axes), {
          shapes: { x: ['tokens', 3, 'size'] },
          step: 1 / 128,
          tolerance: 5e-4,
        })
      })
    }

    test('an axis of one element', async () => {
      const value = op(input('x', 'float32', [1, 'n']), [0])
      assertTensor(await compute(value, { x: floats([1, 2], [3, 4]) }), floats([1, 2], [3, 4]))
    })

    test('axes that are not there', () => {
      const h = input('h', 'float32', [2, 'tokens'])
      assertShapeError(() => op(h, [2]), `${name}: h (2, tokens)`, 'axis 2', '-2..1')
      assertShapeError(() => op(h, []), `${name}: h (2, tokens)`, 'no axes')
    })
  })
}

test('the sum of nothing is 0', async () => {
  const value = reduceSum(input('x', 'float32', ['n', 2]), [0])
  assertTensor(await compute(value, { x: floats([0, 2], []) }), floats([1, 2], [0, 0]))
})

test('equal maxima share the gradient', async () => {
  // There is no derivative at a tie; torch.amax (1.13) also divides by their number.
  const x = input('x', 'float32', [3])
  const [dx] = gradients(reduceMax(x, [0]), [x])
  assertTensor(await compute(dx!, { x: floats([3], [2, 1, 2]) }), floats([3], [0.5, 0, 0.5]))
})

describe('unbroadcast', () => {
  test('sums the axes that were stretched or added', async () => {
    const dy = floats([2, 2, 3], [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60])
    const sums: [Shape, Shape, number[]][] = [
      [
        [2, 2, 3],
        [2, 3],
        [11, 22, 33, 44, 55, 66],
      ],
      [
        [2, 2, 3],
        [2, 1],
        [66, 165],
      ],
      [
        ['b', 't', 'n'],
        ['t', 'n'],
        [11, 22, 33, 44, 55, 66],
      ],
      [['b', 't', 'n'], [], [231]],
      [
        ['b', 't', 'n'],
        [1, 'n'],
        [55, 77, 99],
      ],
    ]
    for (const [from, to, expected] of sums) {
      const value = unbroadcast(input('dy', 'float32', from), to)
      assert.deepEqual(value.shape, to)
      assert.deepEqual(numbers(await compute(value, { dy })), expected)
    }
  })

  test('has a gradient of its own', async () => {
    await assertGradients({ dy: normal(1, [2, 2, 3]) }, ({ dy }) => unbroadcast(dy, ['t', 1]), {
      shapes: { dy: ['b', 't', 3] },
    })
  })
})

describe('argMax', () => {
  const x = input('x', 'float32', ['n', 3])

  test('values; the first of equal ones', async () => {
    const index = argMax(x)
    assert.deepEqual([index.shape, index.dtype], [['n'], 'int64'])
    assertTensor(await compute(index, { x: floats([3, 3], [1, 3, 2, -5, -6, -7, 0, 4, 4]) }), longs([3], [1, 0, 1]))
  })

  test('no gradient', () => {
    const row = input('row', 'float32', [3])
    assertNoGradient(cast(argMax(row), 'float32'), row, 'Cast', /whole numbers/)
    assertNoGradient(argMax(row), row, 'ArgMax', /constant/)
  })

  test('a number has no last axis', () => {
    assertShapeError(() => argMax(input('temp', 'float32', [])), 'ArgMax: temp ()')
  })
})
