/**
 * Half-precision bits → float32. Exact: both formats are subsets of float32. NaNs keep their payload, so results are built as bits;
 * a JavaScript number may lose it.
 */

/** bfloat16 is the upper half of a float32. `target` may be given to reuse memory; it must be as long as `source`. */
export function widenBfloat16(source: Uint16Array, target = new Float32Array(source.length)): Float32Array {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16
  return target
}

/** IEEE 754 binary16, by table. `target` may be given to reuse memory; it must be as long as `source`. */
export function widenFloat16(source: Uint16Array, target = new Float32Array(source.length)): Float32Array {
  float16Table ??= Uint32Array.from({ length: 65536 }, (_, half) => float32Bits(half))
  const table = float16Table
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length)
  for (let i = 0; i < source.length; i++) bits[i] = table[source[i] as number] as number
  return target
}

/** The float32 bits of every float16 (256 KiB), made at first use: twice as fast as computing each value. */
let float16Table: Uint32Array | undefined

/** Sign 1, exponent 5 (bias 15), fraction 10 → sign 1, exponent 8 (bias 127), fraction 23. */
function float32Bits(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13)
  if (exponent !== 0) return sign | ((exponent + 127 - 15) << 23) | (fraction << 13)
  if (fraction === 0) return sign
  // Subnormal: shift the leading one of the fraction to the implicit place, bit 10.
  const shift = Math.clz32(fraction) - 21
  return sign | ((1 + 127 - 15 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)
}
