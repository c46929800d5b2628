import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { constant, input, int64s } from '../../src/graph/index.ts'
import { gather, mul, oneHot, reduceSum, takeItems } from '../../src/ops/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute, prepare, training } from '../support/evaluate.ts'
import { filled, floats, longs, normal, numbers } from '../support/tensors.ts'

describe('gather', () => {
  const table = floats([3, 2], [1, 2, 3, 4, 5, 6])

  test('values: rows in any order, any number of times', async () => {
    const rows = gather(input('table', 'float32', [3, 2]), input('ids', 'int64', ['tokens', 'batch']))
    assert.deepEqual(rows.shape, ['tokens', 'batch', 2])
    const fed = { table, ids: longs([2, 2], [2, 0, 2, 1]) }
    assertTensor(await compute(rows, fed), floats([2, 2, 2], [5, 6, 1, 2, 5, 6, 3, 4]))
    assertTensor(await compute(rows, { table, ids: longs([0, 3], []) }), floats([0, 3, 2], []))
  })

  test('one row, a list of numbers, whole numbers', async () => {
    const row = gather(input('table', 'float32', [3, 2]), int64s([1], []))
    assertTensor(await compute(row, { table }), floats([2], [3, 4]))
    const buckets = constant(BigInt64Array.of(7n, 8n, 9n))
    const picked = gather(buckets, input('ids', 'int64', [2, 1]))
    assertTensor(await compute(picked, { ids: longs([2, 1], [2, 0]) }), longs([2, 1], [9, 7]))
  })

  test('gradient: rows that are used twice add up, unused ones are 0', async () => {
    const ids = longs([2, 3], [2, 0, 2, 2, 3, 0])
    await assertGradients({ table: normal(1, [5, 2, 3]), ids }, (of) => gather(of.table, of.ids))
    await assertGradients({ table: normal(2, [5, 2]), ids }, (of) => gather(of.table, of.ids), {
      shapes: { ids: ['tokens', 'batch'] },
    })
    await assertGradients({ table: normal(3, [5]), ids }, (of) => gather(of.table, of.ids))
    await assertGradients({ table: normal(4, [5, 2]), ids: longs([], [3]) }, (of) => gather(of.table, of.ids))
  })

  test('gradient of rows of a sequence whose other sizes are named', async () => {
    const fed = { x: normal(5, [4, 2, 3]), read: longs([3], [3, 1, 1]) }
    await assertGradients(fed, (of) => gather(of.x, of.read), {
      shapes: { x: ['tokens', 'batch', 3], read: ['read'] },
    })
  })

  test('the gradient loses nothing when several threads meet at one row', async () => {
    // ScatterND with reduction "add" does, in ONNX Runtime 1.30: 200,000 ones arrived as 140,000 to 160,000.
    const count = 200_000
    const [weights, ids] = [input('table', 'float32', [2, 4]), input('ids', 'int64', [count])]
    const dy = input('dy', 'float32', [count, 4])
    const [gradient] = gradients(reduceSum(mul(gather(weights, ids), dy), [0, 1]), [weights])
    const run = await prepare({ gradient: gradient! }, training, 4)
    const fed = { table: filled([2, 4], 0), ids: longs([count], new Array(count).fill(1)), dy: filled([count, 4], 1) }
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(numbers((await run(fed)).gradient), [0, 0, 0, 0, count, count, count, count])
    }
  })

  test('second derivative', async () => {
    const [x, ids] = [input('x', 'float32', [3, 2]), int64s([2, 0, 2])]
    const picked = gather(x, ids)
    const [first] = gradients(reduceSum(mul(picked, mul(picked, picked)), [0, 1]), [x]) // 3·count·x²
    const [second] = gradients(reduceSum(first!, [0, 1]), [x]) // 6·count·x
    const expected = floats([3, 2], [6, 12, 0, 0, 60, 72])
    assertTensor(await compute(second!, { x: floats([3, 2], [1, 2, 3, 4, 5, 6]) }), expected)
  })

  test('indices that are no whole numbers, a table without rows', () => {
    const weight = input('embed_tokens.weight', 'float32', [9, 2])
    const ids = input('input_ids', 'float32', ['tokens'])
    assertShapeError(() => gather(weight, ids), 'Gather: embed_tokens.weight (9, 2) and input_ids (tokens)', 'float32')
    assertShapeError(() => gather(input('temp', 'float32', []), int64s([0])), 'Gather: temp () and int64 (1)')
  })
})

describe('takeItems', () => {
  const shape = ['rows', 'batch', 2]
  const x = input('x', 'float32', shape)
  const items = input('items', 'int64', ['count'])

  test('values: columns of items in any order, any number of times', async () => {
    const taken = takeItems(x, items)
    assert.deepEqual(taken.shape, ['rows', 'count', 2])
    const fed = { x: floats([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]), items: longs([3], [1, 0, 1]) }
    assertTensor(await compute(taken, fed), floats([2, 3, 2], [3, 4, 1, 2, 3, 4, 7, 8, 5, 6, 7, 8]))
  })

  test('gradient: items that are taken twice add up, those that are not get 0; a batch of 1', async () => {
    const fed = { x: normal(1, [3, 4, 2]), items: longs([5], [2, 0, 2, 2, 3]) }
    await assertGradients(fed, (of) => takeItems(of.x, of.items), { shapes: { x: shape, items: ['count'] } })
    const one = { x: normal(2, [3, 1, 2]), items: longs([2], [0, 0]) }
    await assertGradients(one, (of) => takeItems(of.x, of.items), { shapes: { x: shape, items: ['count'] } })
  })

  test('shapes that do not fit', () => {
    assertShapeError(() => takeItems(input('x', 'float32', [2, 2]), items), 'Gather: x (2, 2) and items (count)')
    assertShapeError(() => takeItems(x, int64s([1], [1, 1])), '(rows, batch, size) and (count)')
  })
})

describe('oneHot', () => {
  const classes = int64s([0, 1, 2])

  test('values; an index that is no class gives zeros', async () => {
    const value = oneHot(input('labels', 'int64', ['batch', 2]), classes)
    assert.deepEqual(value.shape, ['batch', 2, 3])
    const expected = floats([1, 2, 3], [0, 0, 1, 0, 0, 0])
    assertTensor(await compute(value, { labels: longs([1, 2], [2, -100]) }), expected)
    assertTensor(await compute(value, { labels: longs([0, 2], []) }), floats([0, 2, 3], []))
  })

  test('classes that are no list', () => {
    assertShapeError(() => oneHot(int64s([1]), int64s([1, 2], [1, 2])), 'oneHot: int64 (1) and int64 (1, 2)')
  })
})
