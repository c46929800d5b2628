/** The element types of the safetensors format, named as in its header (reference library, safetensors/src/tensor.rs, 0.6). */

/** Bits per element. The sub-byte types pack their elements; a tensor of them still fills whole bytes. */
export const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const

export type Dtype = keyof typeof dtypeBits

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(dtypeBits, name)
}

/**
 * Bytes of a tensor of this type and shape, or undefined where the number of elements or of bits is too large to count
 * exactly (above 2⁵³ - 1) or the bits do not fill whole bytes.
 */
export function byteLength(dtype: Dtype, shape: readonly number[]): number | undefined {
  let elements = 1
  for (const size of shape) {
    elements *= size
    if (!Number.isSafeInteger(elements)) return undefined
  }
  const bits = elements * dtypeBits[dtype]
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined
}
