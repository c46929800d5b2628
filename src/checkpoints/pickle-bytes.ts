/** The bytes of a pickle, read from front to back; whatever would pass the end is an error. */
import { CheckpointError } from '../errors.ts'

export interface PickleBytes {
  readonly bytes: Uint8Array
  /** Begins every error, e.g. `model.pth: archive/data.pkl`. */
  readonly where: string
  /** How far it has been read. */
  at: number
  /** Where the present instruction starts; errors name it. */
  start: number
}

/** Longest name of a module or of a class in it, in bytes. */
const maxNameLength = 256

/** An error at the present instruction. */
export function pickleError({ where, start }: PickleBytes, message: string): CheckpointError {
  return new CheckpointError(`${where}: byte ${start}: ${message}`)
}

/** The next bytes, not copied. */
export function take(from: PickleBytes, length: number): Uint8Array {
  const { bytes, at } = from
  if (length > bytes.length - at)
    throw pickleError(
      from,
      `expected ${length} more bytes, found ${bytes.length - at}; the file is incomplete or damaged: get it again`,
    )
  from.at += length
  return bytes.subarray(at, at + length)
}

/** An unsigned number of 1, 2 or 4 bytes, little-endian. */
export function takeUnsigned(from: PickleBytes, bytes: 1 | 2 | 4): number {
  return take(from, bytes).reduceRight((value, byte) => value * 256 + byte, 0)
}

/** A length of 8 bytes. Above 2⁵³ it is inexact, and larger than any file. */
export function takeLength(from: PickleBytes): number {
  const low = takeUnsigned(from, 4)
  return takeUnsigned(from, 4) * 2 ** 32 + low
}

/** A signed number of 4 bytes, little-endian. */
export function takeSigned(from: PickleBytes): number {
  return takeUnsigned(from, 4) | 0
}

/** A float of 8 bytes, big-endian: the one number of the format that is. */
export function takeFloat(from: PickleBytes): number {
  const bytes = take(from, 8)
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
}

/** A two's complement number of any length, little-endian; a bigint only where a number would be inexact. */
export function takeInteger(from: PickleBytes, length: number): number | bigint {
  // Torch's magic number has 10 bytes, a seed 8. Hundreds of bytes are an attack on the arithmetic.
  if (length > 64) throw pickleError(from, `a whole number of ${length} bytes, at most 64 are read`)
  const bytes = take(from, length)
  const unsigned = bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
  const value = BigInt.asIntN(8 * length, unsigned)
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** UTF-8 text. */
export function takeText(from: PickleBytes, length: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(from, length))
  } catch (error) {
    if (error instanceof CheckpointError) throw error
    throw pickleError(from, 'expected UTF-8 text; the file is damaged: get it again')
  }
}

/** A name that ends with its line. */
export function takeLine(from: PickleBytes): string {
  const length = from.bytes.subarray(from.at, from.at + maxNameLength + 1).indexOf(0x0a)
  if (length < 0) throw pickleError(from, `expected a name of at most ${maxNameLength} bytes and the end of its line`)
  const line = takeText(from, length)
  from.at++
  return line
}
