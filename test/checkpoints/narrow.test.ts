/** Expected values: IEEE 754-2019, binary16 and rounding to nearest, ties to even. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { narrowFloat16 } from '../../src/checkpoints/narrow.ts'
import { widenFloat16 } from '../../src/checkpoints/widen.ts'

function narrowed(...values: number[]): number[] {
  const halves = new Uint16Array(values.length)
  narrowFloat16(Float32Array.from(values), halves)
  return [...halves]
}

test('every float16 comes back from float32', () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00)
  const back = new Uint16Array(all.length)
  assert.equal(narrowFloat16(widenFloat16(all), back), -1)
  assert.deepEqual(back, all)
})

test('between two of them: to the nearest, from the middle to the even one', () => {
  const values = widenFloat16(Uint16Array.from({ length: 0x7c00 }, (_, half) => half))
  const up = (x: number) =>
    new Float32Array(Uint32Array.of(new Uint32Array(Float32Array.of(x).buffer)[0]! + 1).buffer)[0]!
  const down = (x: number) =>
    new Float32Array(Uint32Array.of(new Uint32Array(Float32Array.of(x).buffer)[0]! - 1).buffer)[0]!
  for (let half = 0; half + 1 < values.length; half++) {
    const middle = (values[half]! + values[half + 1]!) / 2
    const found = narrowed(down(middle), middle, up(middle), -middle)
    const even = half % 2 === 0 ? half : half + 1
    assert.deepEqual(found, [half, even, half + 1, even | 0x8000], `above ${values[half]}`)
  }
})

test('some values by hand, and what does not fit', () => {
  assert.deepEqual(narrowed(1, -2, 65504, 1 / 3, 0, -0), [0x3c00, 0xc000, 0x7bff, 0x3555, 0, 0x8000])
  const halves = new Uint16Array(3)
  assert.equal(narrowFloat16(Float32Array.of(1, 65519.99, 2), halves), -1)
  assert.equal(narrowFloat16(Float32Array.of(1, 2, 65520), halves), 2)
  assert.equal(narrowFloat16(Float32Array.of(1, Number.NaN, -1e9), halves), 1)
  assert.equal(halves[2], 0xfc00)
})
