import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rankSamples, textsOf } from '../../src/evaluation/retrieval.ts'
import type { Sample } from '../../src/evaluation/sample.ts'
import type { Ranking } from '../../src/tasks/retrieval/ranking.ts'

const samples: Sample[] = [
  { id: 7, image: 'a.jpg', references: ['A boat.', 'Red boat'] },
  { id: 8, image: 'b.jpg', references: ['A house!'] },
  { id: 9, image: 'c.jpg', references: ['Two birds', 'birds'] },
]
const texts = textsOf(samples, 'lavis')

/** Rows of indices, best first. */
function ranking(rows: readonly (readonly number[])[]): Ranking {
  const k = rows[0]!.length
  const numbers = Float32Array.from(rows.flatMap((row) => row.map((_, place) => -place)))
  return { k, indices: Int32Array.from(rows.flat()), itc: numbers, itm: numbers, score: numbers }
}

test('captions one after the other, as the model reads them', () => {
  assert.deepEqual(texts, {
    texts: ['a boat', 'red boat', 'a house', 'two birds', 'birds'],
    captions: ['A boat.', 'Red boat', 'A house!', 'Two birds', 'birds'],
    imageOfTexts: [0, 0, 1, 2, 2],
    textsOfImages: [[0, 1], [2], [3, 4]],
  })
})

test('recall, ranks, the first text as the prediction', () => {
  const { scores, predictions, results } = rankSamples(samples, texts, {
    images: [0, 1, 2],
    textsOfImages: ranking([
      [1, 0, 3],
      [0, 2, 1],
      [0, 1, 2],
    ]),
    imagesOfTexts: ranking([
      [0, 1],
      [1, 0],
      [1, 2],
      [0, 1],
      [2, 1],
    ]),
  })
  // By hand: one of three images has a text of its own first, three of five texts their image.
  assert.deepEqual([scores.measured.txt_r1, scores.measured.img_r1], [100 / 3, 60])
  assert.deepEqual(
    [...predictions],
    [
      [7, 'Red boat'],
      [8, 'A boat.'],
      [9, 'A boat.'],
    ],
  )
  assert.deepEqual([...scores.bySample.values()].map(scores.shown), ['rank 1', 'rank 2', 'not found'])
  assert.deepEqual(results.image_to_text, [
    { image_id: 7, rank: 1, texts: [1, 0, 3] },
    { image_id: 8, rank: 2, texts: [0, 2, 1] },
    { image_id: 9, rank: null, texts: [0, 1, 2] },
  ])
  assert.deepEqual(results.text_to_image[3], { text: 3, rank: null, image_ids: [7, 8] })
})

test('an image that was not ranked is no query, nor are its texts', () => {
  const { scores, results } = rankSamples(samples, texts, {
    images: [0, 2],
    textsOfImages: ranking([
      [0, 1],
      [4, 0],
    ]),
    imagesOfTexts: ranking([
      [0, 2],
      [0, 2],
      [0, 2],
      [2, 0],
      [0, 2],
    ]),
  })
  assert.deepEqual([scores.measured.txt_r1, scores.measured.img_r1], [100, 75])
  assert.deepEqual(
    results.text_to_image.map((row) => (row as { text: number }).text),
    [0, 1, 3, 4],
  )
})
