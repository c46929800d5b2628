/** Expected figures: LAVIS 506965b and mmpretrain, and bounds where scores are equal; test/reference/metrics/README.md. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { evaluateRetrieval } from '../../src/metrics/retrieval/evaluate.ts'
import { readPairs } from '../../src/metrics/retrieval/json.ts'
import { bestRank, recall, type ScoreMatrix, tieRules } from '../../src/metrics/retrieval/recall.ts'
import { readJson, synthetic } from './reference.ts'

function matrix(file: string, rows: number, columns: number): ScoreMatrix {
  const bytes = readFileSync(synthetic(`retrieval/${file}`))
  return { rows, columns, data: new Float32Array(new Uint8Array(bytes).buffer) }
}

for (const { name, images, texts, i2t, t2i, ties, lavis, bounds, ...truth } of readJson(
  synthetic('retrieval/cases.json'),
).cases) {
  test(`recall: ${name}`, () => {
    const pairs = readPairs(name, { img2txt: truth.img2txt, txt2img: truth.txt2img }, images, texts)
    const scores = [matrix(i2t, images, texts), t2i === null ? undefined : matrix(t2i, texts, images)] as const
    for (const rule of tieRules) {
      const found = evaluateRetrieval(...scores, pairs, rule)
      const { image_to_text: txt, text_to_image: img } = bounds
      for (const k of [1, 5, 10] as const) {
        assert.ok(Math.abs(found[`txt_r${k}`] - (txt[rule] ?? txt.best)[`R@${k}`]) < 1e-9, `${rule}: txt_r${k}`)
        assert.ok(Math.abs(found[`img_r${k}`] - (img[rule] ?? img.best)[`R@${k}`]) < 1e-9, `${rule}: img_r${k}`)
      }
      if (ties) continue
      for (const [key, value] of Object.entries(found)) assert.ok(Math.abs(value - lavis[key]) < 1e-9, key)
    }
  })
}

test('ranks, counted by sorting', () => {
  const data = [3, 1, 4, 1, 5, 9, 2, 6]
  const sorted = data.toSorted((a, b) => b - a)
  for (const target of data.keys()) {
    const rank = bestRank({ rows: 1, columns: 8, data }, 0, [target])
    if (target !== 3) assert.equal(rank, sorted.indexOf(data[target]!))
  }
  assert.equal(bestRank({ rows: 1, columns: 8, data }, 0, [3]), 7) // the second 1
  assert.equal(bestRank({ rows: 1, columns: 8, data }, 0, [3], 'high'), 6)
  assert.equal(bestRank({ rows: 1, columns: 8, data }, 0, [0, 5]), 0)
})

test('a score that is no number is refused', () => {
  assert.throws(
    () => recall({ rows: 1, columns: 2, data: [1, Number.NaN] }, [[0]]),
    /row 0, column 1: expected a number/,
  )
})

test('matrices of another size are refused', () => {
  const pairs = { textsOfImages: [[0], [1]], imageOfTexts: [0, 1] }
  const square = { rows: 2, columns: 2, data: [1, 0, 0, 1] }
  const refused = (first: ScoreMatrix, second: ScoreMatrix | undefined, message: RegExp) =>
    assert.throws(() => evaluateRetrieval(first, second, pairs), { name: 'DataError', message })
  refused({ ...square, rows: 1 }, undefined, /imageToText: expected \(2, 2\), found \(1, 2\) of 4 values/)
  refused(square, { ...square, data: [1] }, /textToImage: expected \(2, 2\), found \(2, 2\) of 1 values/)
})

test('numbers that float32 cannot tell apart are not ties', () => {
  const pairs = { textsOfImages: [[0], [1]], imageOfTexts: [0, 1] }
  const data = Float64Array.of(1, 0.5, 1 + 1e-12, 0.6)
  assert.equal(evaluateRetrieval({ rows: 2, columns: 2, data }, undefined, pairs).img_r1, 50)
})

test('one map is enough; two that disagree are refused', () => {
  const pairs = { textsOfImages: [[0, 2], [1]], imageOfTexts: [0, 1, 0] }
  assert.deepEqual(readPairs('G', { txt2img: [0, 1, 0] }, 2, 3), pairs)
  assert.deepEqual(readPairs('G', { img2txt: [[0, 2], [1]] }, 2, 3), pairs)
  const wrong: readonly [object, RegExp][] = [
    [{ txt2img: [0, 1, 0], img2txt: [[0], [1, 2]] }, /G: text 2 belongs to image 1 in img2txt, to 0 in txt2img/],
    [{ txt2img: [0, 0, 0] }, /G: image 1 has no text/],
    [{ txt2img: [0, 1] }, /G: txt2img: expected 3 entries, one for each of the texts/],
    [{ txt2img: [0, 1, 2] }, /G: txt2img\[2\]: expected a whole number from 0 to 1, found 2/],
    [{ img2txt: [[0], [1]] }, /G: img2txt: text 2 belongs to no image/],
    [{}, /G: expected "img2txt" or "txt2img"/],
  ]
  for (const [content, message] of wrong) assert.throws(() => readPairs('G', content, 2, 3), message)
})
