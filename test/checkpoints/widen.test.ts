/** Every bit pattern of both half formats against the definition of the format (IEEE 754-2008, 3.4), computed with powers of two. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { widenBfloat16, widenFloat16 } from '../../src/checkpoints/widen.ts'

/** The value of a pattern of 1 sign bit, `exponentBits` and `fractionBits`. */
function definition(pattern: number, exponentBits: number, fractionBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1
  const sign = pattern >= 0x8000 ? -1 : 1
  const exponent = Math.floor(pattern / 2 ** fractionBits) % 2 ** exponentBits
  const fraction = (pattern % 2 ** fractionBits) / 2 ** fractionBits
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias)
}

const patterns = Uint16Array.from({ length: 65536 }, (_, pattern) => pattern)

for (const { name, widen, exponentBits, fractionBits } of [
  { name: 'float16', widen: widenFloat16, exponentBits: 5, fractionBits: 10 },
  { name: 'bfloat16', widen: widenBfloat16, exponentBits: 8, fractionBits: 7 },
]) {
  test(`${name}: all 65,536 patterns have the value that the format defines`, () => {
    const widened = widen(patterns)
    for (const pattern of patterns) {
      const expected = definition(pattern, exponentBits, fractionBits)
      assert.ok(
        Object.is(widened[pattern], expected),
        `0x${pattern.toString(16)}: expected ${expected}, found ${widened[pattern]}`,
      )
    }
  })

  test(`${name}: a NaN keeps its sign and payload`, () => {
    const widened = widen(patterns)
    const bits = new Uint32Array(widened.buffer)
    const nans = [...patterns].filter((pattern) => Number.isNaN(widened[pattern]))
    assert.equal(nans.length, 2 * (2 ** fractionBits - 1))
    for (const pattern of nans) {
      const payload = pattern % 2 ** fractionBits
      const sign = pattern >= 0x8000 ? 1 : 0
      assert.equal(bits[pattern], sign * 2 ** 31 + 0xff * 2 ** 23 + payload * 2 ** (23 - fractionBits))
    }
  })

  test(`${name}: writes into a given part of memory`, () => {
    const memory = new Float32Array(4).fill(7)
    assert.deepEqual(widen(Uint16Array.of(0, 0), memory.subarray(1, 3)).buffer, memory.buffer)
    assert.deepEqual([...memory], [7, 0, 0, 7])
  })
}
