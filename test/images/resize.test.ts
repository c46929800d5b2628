import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { DataError } from '../../src/errors.ts'
import { resizeBicubic } from '../../src/images/resize.ts'
import { compare, fixturesDir, pixels } from './fixtures.ts'

const equal = { largest: 0, differing: 0 }
const resized = readdirSync(fixturesDir).flatMap((name) => {
  const match = /^(.+)\.(\d+)x(\d+)\.png$/.exec(name)
  return match === null ? [] : [{ name, source: `${match[1]}.png`, width: Number(match[2]), height: Number(match[3]) }]
})

test('there are fixtures to compare with', () => assert.equal(resized.length, 17))

for (const { name, source, width, height } of resized) {
  test(`${name} equals Pillow's bicubic in every value`, async () => {
    assert.deepEqual(compare(resizeBicubic(await pixels(source), width, height), await pixels(name)), equal)
  })
}

test('halving a row of four by hand', () => {
  // Output 0 is centred on 1 and reads -3..5 in half steps: w(-.25), w(.25), w(.75), w(1.25) of the cubic with a = -0.5
  // = .8671875, .8671875, .2265625, -.0703125, which sum to 1.890625. Values 0, 0, 255, 255 give 21.07; mirrored 233.93.
  const row = { width: 4, height: 1, data: Uint8Array.from([0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255]) }
  assert.deepEqual([...resizeBicubic(row, 2, 1).data], [21, 21, 21, 234, 234, 234])
})

test('overshoot is clipped between the passes and at the end', () => {
  const step = { width: 2, height: 1, data: Uint8Array.from([0, 0, 0, 255, 255, 255]) }
  const { data } = resizeBicubic(step, 8, 1)
  assert.equal(data[0], 0)
  assert.equal(data[21], 255)
})

test('the result of an equal size is a copy', () => {
  const image = { width: 1, height: 1, data: Uint8Array.from([1, 2, 3]) }
  const same = resizeBicubic(image, 1, 1)
  same.data[0] = 9
  assert.equal(image.data[0], 1)
})

test('a view into a larger buffer is read from its own start', () => {
  const data = new Uint8Array(Uint8Array.from([99, 99, 99, 10, 20, 30]).buffer, 3, 3)
  assert.deepEqual([...resizeBicubic({ width: 1, height: 1, data }, 2, 1).data], [10, 20, 30, 10, 20, 30])
})

test('impossible sizes are named', () => {
  const image = { width: 1, height: 1, data: new Uint8Array(3) }
  assert.throws(
    () => resizeBicubic(image, 0, 5),
    new DataError('resize: expected a size of at least 1x1 pixels, found 0x5'),
  )
  assert.throws(
    () => resizeBicubic({ width: 0, height: 0, data: new Uint8Array() }, 5, 5),
    /at least 1 pixel, found 0x0/,
  )
  assert.throws(
    () => resizeBicubic({ ...image, data: new Uint8Array(4) }, 5, 5),
    /1x1 RGB needs 3 bytes, found 4; is there/,
  )
})
