/** By hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { behindQueries, causalMask, paddingMask } from '../../src/models/masks.ts'
import { compute } from '../support/evaluate.ts'
import { longs, numbers } from '../support/tensors.ts'

const ids = input('ids', 'int64', ['tokens', 'batch'])
const fed = { ids: longs([3, 2], [5, 6, 7, 0, 8, 0]) }
const seen = (values: readonly number[]) => values.map((value) => (value === 0 ? 1 : value === -10000 ? 0 : Number.NaN))

test('padding is hidden from every row of its item', async () => {
  const mask = paddingMask(ids, 0)
  assert.deepEqual(mask.shape, ['batch', 1, 1, 'tokens'])
  assert.deepEqual(seen(numbers(await compute(mask, fed))), [1, 1, 1, 1, 0, 0])
  const behind = behindQueries(mask, 2)
  assert.deepEqual(behind.shape, ['batch', 1, 1, 'tokens+2'])
  assert.deepEqual(seen(numbers(await compute(behind, fed))), [1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
})

test('a token sees the queries, itself and what is before it', async () => {
  const [alone, behind] = [causalMask(ids), causalMask(ids, 2)]
  assert.deepEqual(
    [alone.shape, behind.shape],
    [
      ['tokens', 'tokens'],
      ['tokens', 'tokens+2'],
    ],
  )
  assert.deepEqual(seen(numbers(await compute(alone, fed))), [1, 0, 0, 1, 1, 0, 1, 1, 1])
  assert.deepEqual(seen(numbers(await compute(behind, fed))), [1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1])
})
