import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float32, itemsFirst, joinItems, splitItems, transposed } from '../../src/tasks/layout.ts'
import { leftPadded, rightPadded } from '../../src/tasks/padding.ts'

test('transposed: (rows, columns) → (columns, rows)', () => {
  assert.deepEqual(transposed([1, 2, 3, 4, 5, 6], 2, 3), [1, 4, 2, 5, 3, 6])
})

test('itemsFirst: (branches, items, vocabulary) → (items, branches, vocabulary)', () => {
  // Two branches of three items, two words; the number says branch, item, word.
  const logits = Float32Array.of(111, 112, 121, 122, 131, 132, 211, 212, 221, 222, 231, 232)
  assert.deepEqual([...itemsFirst(logits, 3, 2)], [111, 112, 211, 212, 121, 122, 221, 222, 131, 132, 231, 232])
})

test('joinItems and splitItems are inverse', () => {
  const items = [1, 2, 3].map((item) => float32(Float32Array.of(item, item + 0.1, item + 0.2, item + 0.3), [2, 1, 2]))
  const joined = joinItems(items)
  assert.deepEqual(joined.shape, [2, 3, 2])
  assert.deepEqual(
    [...(joined.data as Float32Array)].map((value) => Math.round(value * 10) / 10),
    [1, 1.1, 2, 2.1, 3, 3.1, 1.2, 1.3, 2.2, 2.3, 3.2, 3.3],
  )
  assert.deepEqual(splitItems(joined), items)
})

test('prompts are padded on the side that the language model needs', () => {
  const prompts = [[5], [6, 7, 8]]
  assert.deepEqual(leftPadded(prompts, 1), { items: 2, tokens: 3, ids: [1, 1, 5, 6, 7, 8], padding: [2, 0] })
  assert.deepEqual(rightPadded(prompts, 0), { items: 2, tokens: 3, ids: [5, 0, 0, 6, 7, 8], padding: [2, 0] })
})
