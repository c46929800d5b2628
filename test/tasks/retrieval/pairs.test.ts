import assert from 'node:assert/strict'
import { test } from 'node:test'
import { offerAll } from '../../../src/generation/top.ts'
import { groupPairs, textsOf } from '../../../src/tasks/retrieval/pairs.ts'
import { createTops, transposed } from '../../../src/tasks/retrieval/tops.ts'
import { uniform } from '../../support/tensors.ts'

test('every pair that either direction asks for, once, ascending', () => {
  const random = uniform(5)
  const [images, texts] = [7, 11]
  const scores = Float32Array.from({ length: images * texts }, random)
  const [ofImages, ofTexts] = [createTops(images, 3), createTops(texts, 2)]
  for (let image = 0; image < images; image++) {
    offerAll(ofImages.rows[image]!, scores.subarray(image * texts, (image + 1) * texts), 0, 0)
  }
  const columns = transposed(scores, images)
  for (let text = 0; text < texts; text++) {
    offerAll(ofTexts.rows[text]!, columns.subarray(text * images, (text + 1) * images), 0, 0)
  }
  const pairs = groupPairs(ofImages, ofTexts)
  for (let image = 0; image < images; image++) {
    const asked = Array.from({ length: texts }, (_, text) => text).filter(
      (text) => ofImages.rows[image]!.indices.includes(text) || ofTexts.rows[text]!.indices.includes(image),
    )
    assert.deepEqual([...textsOf(pairs, image)], asked)
  }
  assert.equal(pairs.texts.length, pairs.offsets[images])
})

test('the best of a row in blocks; of equal ones the lower column first', () => {
  const tops = createTops(2, 3)
  offerAll(tops.rows[1]!, Float32Array.of(1, 5, 5), 0, 0)
  offerAll(tops.rows[1]!, Float32Array.of(5, 7, 5), 0, 3)
  assert.deepEqual([...tops.indices], [0, 0, 0, 4, 1, 2])
  assert.deepEqual([...tops.scores], [0, 0, 0, 7, 5, 5])
})

test('transposed', () => {
  assert.deepEqual([...transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2)], [1, 4, 2, 5, 3, 6])
})
