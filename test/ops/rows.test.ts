import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input, type Shape } from '../../src/graph/index.ts'
import { putRows, rowsWhere, takeRows } from '../../src/ops/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs, normal } from '../support/tensors.ts'

const flags = (shape: Shape = ['n']) => input('flags', 'int64', shape)

describe('rowsWhere', () => {
  test('values: the places that are not 0, in order; none, and no place at all', async () => {
    const { indices } = rowsWhere(flags(), 'k')
    assert.deepEqual(indices.shape, ['k'])
    assertTensor(await compute(indices, { flags: longs([5], [0, 1, 0, 2, -1]) }), longs([3], [1, 3, 4]))
    assertTensor(await compute(indices, { flags: longs([2], [0, 0]) }), longs([0], []))
    assertTensor(await compute(indices, { flags: longs([0], []) }), longs([0], []))
  })

  test('more than one axis is refused', () => {
    assertShapeError(
      () => rowsWhere(flags(['tokens', 'batch']), 'k'),
      'NonZero',
      '(tokens, batch)',
      'expected one axis',
    )
  })
})

describe('takeRows and putRows', () => {
  const some = longs([4], [0, 1, 0, 1])

  test('values: there, and back between zeros', async () => {
    const rows = rowsWhere(flags(), 'k')
    const x = floats([4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    const taken = takeRows(input('x', 'float32', ['n', 2]), rows)
    assert.deepEqual(taken.shape, ['k', 2])
    assertTensor(await compute(taken, { x, flags: some }), floats([2, 2], [3, 4, 7, 8]))
    const back = putRows(taken, rows)
    assert.deepEqual(back.shape, ['n', 2])
    assertTensor(await compute(back, { x, flags: some }), floats([4, 2], [0, 0, 3, 4, 0, 0, 7, 8]))
  })

  test('all rows and none', async () => {
    const rows = rowsWhere(flags(), 'k')
    const back = putRows(takeRows(input('x', 'float32', ['n', 2]), rows), rows)
    const x = floats([2, 2], [1, 2, 3, 4])
    assertTensor(await compute(back, { x, flags: longs([2], [1, 1]) }), x)
    assertTensor(await compute(back, { x, flags: longs([2], [0, 0]) }), floats([2, 2], [0, 0, 0, 0]))
  })

  test('gradients: of each the other one', async () => {
    const fed = { x: normal(1, [4, 3]), flags: some }
    await assertGradients(fed, (of) => takeRows(of.x, rowsWhere(of.flags, 'k')))
    await assertGradients({ y: normal(2, [2, 3]), flags: some }, (of) => putRows(of.y, rowsWhere(of.flags, 'k')), {
      shapes: { y: ['k', 3] },
    })
    await assertGradients(fed, (of) => {
      const rows = rowsWhere(of.flags, 'k')
      return putRows(takeRows(of.x, rows), rows)
    })
  })

  test('another number of rows is refused', () => {
    const rows = rowsWhere(flags(['n']), 'k')
    const [x, y] = [input('x', 'float32', ['m', 2]), input('y', 'float32', ['n', 2])]
    assertShapeError(() => takeRows(x, rows), 'takeRows', '(m, 2)', '(n)', 'expected (n, size)')
    assertShapeError(() => putRows(y, rows), 'putRows', '(n, 2)', '(k)', 'expected (k, a fixed size)')
  })
})
