/** float32 → IEEE 754 binary16. The way back, which is exact, is `widenFloat16`. */

/** Rounds to the nearest float16, ties to even. Returns the index of the first element that has none (NaN, 65,520 or more), or -1. */
export function narrowFloat16(source: Float32Array, target: Uint16Array): number {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length)
  let unfit = -1
  for (let i = 0; i < bits.length; i++) {
    const half = float16Bits(bits[i]!, source[i]!)
    if ((half & 0x7c00) === 0x7c00 && unfit === -1) unfit = i
    target[i] = half
  }
  return unfit
}

/** Of a float32, given as bits and as value: sign 1, exponent 8 (bias 127), fraction 23 → sign 1, exponent 5 (bias 15), fraction 10. */
function float16Bits(bits: number, value: number): number {
  const sign = (bits >>> 16) & 0x8000
  const size = bits & 0x7fffffff
  if (size > 0x7f800000) return sign | 0x7e00 // NaN
  if (size >= 0x477ff000) return sign | 0x7c00 // 65,520 is half way to what would follow the largest float16
  // Below 2⁻¹⁴ float16 counts in steps of 2⁻²⁴. Adding 2⁵² leaves a double no room for a fraction, so it rounds.
  if (size < 0x38800000) return sign | (Math.abs(value) * 2 ** 24 + 2 ** 52 - 2 ** 52)
  const even = (size >>> 13) & 1
  return sign | ((size + 0xfff + even - ((127 - 15) << 23)) >>> 13)
}
