/** Expected figures: LAVIS 506965b, on scores of which all but the best 16 of a row are -100; test/reference/metrics/README.md. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { evaluateRetrieval } from '../../src/metrics/retrieval/evaluate.ts'
import { readPairs } from '../../src/metrics/retrieval/json.ts'
import { evaluateRankings, type ScoredItems } from '../../src/metrics/retrieval/ranked.ts'
import { type ScoreMatrix, tieRules } from '../../src/metrics/retrieval/recall.ts'
import { uniform } from '../support/tensors.ts'
import { readJson, synthetic } from './reference.ts'

function matrix(file: string, rows: number, columns: number): ScoreMatrix {
  const bytes = readFileSync(synthetic(`retrieval/${file}`))
  return { rows, columns, data: new Float32Array(new Uint8Array(bytes).buffer) }
}

/** The k best of every row, lower index first. */
function best({ rows, columns, data }: ScoreMatrix, k: number): ScoredItems {
  const chosen = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => column)
      .sort((a, b) => data[row * columns + b]! - data[row * columns + a]! || a - b)
      .slice(0, k)
      .map((column) => ({ column, score: data[row * columns + column]! })),
  ).flat()
  return { k, indices: chosen.map(({ column }) => column), score: chosen.map(({ score }) => score) }
}

test('the scored items give the recall of the whole matrices: the reference', () => {
  const { cases } = readJson(synthetic('retrieval/cases.json'))
  const { images, texts, i2t, t2i, lavis, ...truth } = cases.find(
    ({ name }: { name: string }) => name === 'rerank-k16-60x300',
  )
  const rankings = {
    images: Array.from({ length: images }, (_, image) => image),
    textsOfImages: best(matrix(i2t, images, texts), 16),
    imagesOfTexts: best(matrix(t2i, texts, images), 16),
  }
  const found = evaluateRankings(rankings, readPairs('', { img2txt: truth.img2txt }, images, texts))
  for (const [name, value] of Object.entries(found)) assert.ok(Math.abs(value - lavis[name]) < 1e-9, name)
})

test('also with fewer candidates than places, and ties: every rule', () => {
  const random = uniform(3)
  const [images, texts, k] = [6, 12, 3]
  const data = Array.from({ length: images * texts }, () => Math.floor(random() * 4))
  const byText = Array.from(
    { length: images * texts },
    (_, at) => data[(at % images) * texts + Math.floor(at / images)]!,
  )
  const [i2t, t2i] = [
    { rows: images, columns: texts, data },
    { rows: texts, columns: images, data: byText },
  ]
  const cut = (scores: ScoreMatrix) => {
    const { indices, score } = best(scores, k)
    const kept = new Array<number>(images * texts).fill(-100)
    Array.from(indices).forEach((column, i) => {
      kept[Math.floor(i / k) * scores.columns + column] = score[i]!
    })
    return { ...scores, data: kept }
  }
  const pairs = readPairs('', { txt2img: Array.from({ length: texts }, (_, text) => text % images) }, images, texts)
  const rankings = { images: [0, 1, 2, 3, 4, 5], textsOfImages: best(i2t, k), imagesOfTexts: best(t2i, k) }
  for (const ties of tieRules) {
    assert.deepEqual(evaluateRankings(rankings, pairs, ties), evaluateRetrieval(cut(i2t), cut(t2i), pairs, ties), ties)
  }
})

test('images that were not ranked are absent, and their texts are not asked for', () => {
  const pairs = { textsOfImages: [[0], [1], [2]], imageOfTexts: [0, 1, 2] }
  const found = evaluateRankings(
    {
      images: [0, 2],
      textsOfImages: { k: 1, indices: [0, 1], score: [5, 5] }, // image 2 finds the text of image 1
      imagesOfTexts: { k: 1, indices: [0, 0, 2], score: [5, 5, 5] },
    },
    pairs,
  )
  assert.deepEqual([found.txt_r1, found.txt_r5, found.img_r1], [50, 100, 100])
})
