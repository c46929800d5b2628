import assert from 'node:assert/strict'
import { test } from 'node:test'
import { similarities } from '../../../src/tasks/retrieval/similarity.ts'
import { normal } from '../../support/tensors.ts'

const floats = (seed: number, count: number) => normal(seed, [count]).data as Float32Array

/** The definition. */
function largestDot(
  images: Float32Array,
  texts: Float32Array,
  image: number,
  text: number,
  queries: number,
  size: number,
): number {
  const dots = Array.from({ length: queries }, (_, query) => {
    let sum = 0
    for (let i = 0; i < size; i++) sum += images[(image * queries + query) * size + i]! * texts[text * size + i]!
    return sum
  })
  return Math.fround(Math.max(...dots))
}

test('the largest dot product over the queries, whatever the sizes are', async () => {
  for (const [images, queries, texts, embedSize] of [
    [1, 1, 1, 1],
    [2, 3, 5, 4],
    [3, 2, 4, 7],
    [2, 32, 9, 16],
    [1, 5, 3, 2],
    [4, 1, 6, 3],
    [0, 2, 3, 4],
  ] as const) {
    const projectedImages = floats(1, images * queries * embedSize)
    const projectedTexts = floats(2, texts * embedSize)
    const found = await similarities(projectedImages, projectedTexts, { images, queries, texts, embedSize })
    assert.equal(found.length, images * texts)
    found.forEach((value, at) => {
      const [image, text] = [Math.floor(at / texts), at % texts]
      assert.equal(
        value,
        largestDot(projectedImages, projectedTexts, image, text, queries, embedSize),
        `${image}, ${text}`,
      )
    })
  }
})

test('a value does not depend on the block it is computed in', async () => {
  const shape = { images: 3, queries: 4, texts: 10, embedSize: 6 }
  const [images, texts] = [floats(3, 3 * 4 * 6), floats(4, 10 * 6)]
  const whole = await similarities(images, texts, shape)
  for (let text = 0; text < 10; text++) {
    const column = await similarities(images, texts.subarray(text * 6, (text + 1) * 6), { ...shape, texts: 1 })
    assert.deepEqual(
      [...column],
      [0, 1, 2].map((image) => whole[image * 10 + text]),
    )
  }
})

test('it lets others run, and stops when it is told to', async () => {
  const shape = { images: 80, queries: 32, texts: 64, embedSize: 2 ** 10 }
  const stop = new AbortController()
  setTimeout(() => stop.abort(new Error('enough')))
  const [images, texts] = [new Float32Array(80 * 32 * 2 ** 10), new Float32Array(64 * 2 ** 10)]
  await assert.rejects(similarities(images, texts, shape, stop.signal), /enough/)
})
