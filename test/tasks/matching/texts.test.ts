import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchesByLength, textInputs } from '../../../src/tasks/matching/texts.ts'
import { numbers } from '../../support/tensors.ts'

const hidden = Number.NEGATIVE_INFINITY

test('texts are padded at the end, sequence first; what is padding is hidden, queries never are', () => {
  const { input_ids, positions, mask } = textInputs(
    [
      [2, 7, 3],
      [2, 3],
    ],
    0,
    2,
  )
  assert.deepEqual(input_ids.shape, [3, 2])
  assert.deepEqual(numbers(input_ids), [2, 2, 7, 3, 3, 0])
  assert.deepEqual(
    [positions.shape, numbers(positions)],
    [
      [3, 1],
      [0, 1, 2],
    ],
  )
  assert.deepEqual(mask.shape, [2, 1, 1, 5])
  assert.deepEqual(numbers(mask), [0, 0, 0, 0, 0, 0, 0, 0, 0, hidden])
})

test('batches hold texts of similar length, each place once', () => {
  const texts = [5, 1, 4, 1, 3].map((length) => Array<number>(length).fill(9))
  assert.deepEqual(batchesByLength(texts, 2), [[1, 3], [4, 2], [0]])
  assert.deepEqual(batchesByLength(texts, 10), [[1, 3, 4, 2, 0]])
  assert.deepEqual(batchesByLength([], 2), [])
})
