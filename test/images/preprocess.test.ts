import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pixelValues } from '../../src/images/preprocess.ts'

const near = (actual: number | undefined, expected: number) =>
  assert.ok(Math.abs((actual as number) - expected) <= 1e-6, `${actual} is not ${expected}`)

test('one pixel: (x / 255 - mean) / std by hand, channels first', () => {
  const values = pixelValues([{ width: 1, height: 1, data: Uint8Array.from([0, 128, 255]) }], 1)
  assert.equal(values.length, 3)
  near(values[0], -0.48145466 / 0.26862954)
  near(values[1], (128 / 255 - 0.4578275) / 0.26130258)
  near(values[2], (1 - 0.40821073) / 0.27577711)
})

test('a batch is (batch, 3, size, size) in the order given; pictures of any shape fill the square', () => {
  const plain = (width: number, height: number, colour: readonly number[]) => ({
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!),
  })
  const values = pixelValues([plain(9, 2, [255, 0, 0]), plain(3, 3, [0, 0, 0])], 4)
  assert.equal(values.length, 2 * 3 * 4 * 4)
  const planes = Array.from({ length: 6 }, (_, i) => values.subarray(i * 16, i * 16 + 16))
  for (const plane of planes) assert.ok(plane.every((value) => value === plane[0]))
  near(planes[0]?.[0], (1 - 0.48145466) / 0.26862954)
  near(planes[3]?.[0], -0.48145466 / 0.26862954)
  assert.equal(planes[1]?.[0], planes[4]?.[0])
})

test('no pictures give no values', () => assert.equal(pixelValues([], 224).length, 0))
