/**
 * The safetensors format: bytes of a header → a table of tensors, and back. No files here; those are in node.ts.
 *
 *     8 bytes   n, the length of the header, unsigned little-endian
 *     n bytes   JSON, padded with spaces: {"name": {"dtype", "shape", "data_offsets": [begin, end]}, …, "__metadata__": {…}}
 *     the rest  the data; offsets count from its first byte; tensors follow one another without a gap
 *
 * Source: README of github.com/huggingface/safetensors; the checks are those of its safetensors/src/tensor.rs (`Metadata::validate`).
 */
import { CheckpointError } from '../errors.ts'
import { byteLength, type Dtype, dtypeBits, isDtype } from './dtype.ts'
import { foreignFormat } from './foreign.ts'
import { type JsonCursor, readArray, readCount, readEnd, readObject, readString, shown, unexpected } from './json.ts'

/** Where one tensor lies. */
export interface StoredTensor {
  /** The published name, e.g. `vision_model.encoder.layers.3.mlp.fc1.weight`. */
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** Absolute path with symbolic links resolved. */
  readonly file: string
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

/** All tensors of a model, from one file or from several shards. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** The files that hold the data: absolute path and size in bytes. */
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly metadata: Readonly<Record<string, string>>
}

/** What the header needs to know of the file around it. */
export interface HeaderPlace {
  /** How errors name the file. */
  readonly where: string
  /** Absolute path, written into the table. */
  readonly file: string
  /** Bytes of the whole file. */
  readonly size: number
}

export interface Header {
  /** In the order of their bytes. */
  readonly tensors: readonly StoredTensor[]
  readonly metadata: Readonly<Record<string, string>>
}

/** Bytes of the length that precedes the header. */
export const prefixLength = 8

/** Largest header, in bytes, as in the reference library. */
export const maxHeaderLength = 100_000_000

/** Most dimensions of one tensor; PyTorch and NumPy stop at 64 too. */
const maxRank = 64

/** The length in bytes of the header that follows `prefix`, the first bytes of the file (8, or all of a shorter file). */
export function headerLength(prefix: Uint8Array, { where, size }: HeaderPlace): number {
  if (prefix.length < prefixLength)
    throw new CheckpointError(`${where}: expected a safetensors file, found ${size} bytes; download it again`)
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true)
  if (length > BigInt(maxHeaderLength)) {
    const found = foreignFormat(prefix) ?? `a header of ${length} bytes, where ${maxHeaderLength} is the limit`
    throw new CheckpointError(`${where}: expected a safetensors file, found ${found}`)
  }
  if (Number(length) > size - prefixLength)
    throw new CheckpointError(
      `${where}: header of ${length} bytes in a file of ${size} bytes; the file is incomplete: download it again`,
    )
  return Number(length)
}

/** Reads and checks a header (without its 8-byte prefix). Throws CheckpointError for anything that the format does not allow. */
export function parseHeader(header: Uint8Array, place: HeaderPlace): Header {
  const cursor: JsonCursor = { text: decode(header, place.where), where: `${place.where}: header`, at: 0 }
  if (cursor.text[0] !== '{') throw unexpected(cursor, 'an opening brace')
  const dataStart = prefixLength + header.length
  const tensors: StoredTensor[] = []
  const metadata: [string, string][] = []
  readObject(cursor, (name) => {
    if (name === '__metadata__') readObject(cursor, (key) => metadata.push([key, readString(cursor)]))
    else tensors.push(readEntry(cursor, name, place, dataStart))
  })
  readEnd(cursor)
  tensors.sort((a, b) => a.offset - b.offset || a.length - b.length)
  checkCoverage(tensors, place, dataStart)
  return { tensors, metadata: Object.fromEntries(metadata) }
}

/** One tensor to be written. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
}

/**
 * The bytes in front of the data (prefix and header) for tensors that are stored in this order. The header is padded with spaces so
 * that the data starts at a multiple of 8 bytes.
 */
export function encodeHeader(
  tensors: readonly TensorInfo[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : []
  const names = new Set(['__metadata__'])
  let offset = 0
  for (const { name, dtype, shape } of tensors) {
    if (names.has(name)) throw new CheckpointError(`${shown(name)}: the name is reserved or occurs twice`)
    names.add(name)
    const begin = offset
    offset += tensorBytes({ name, dtype, shape })
    entries.push([name, { dtype, shape, data_offsets: [begin, offset] }])
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const length = Math.ceil(json.length / 8) * 8
  if (length > maxHeaderLength)
    throw new CheckpointError(`header of ${length} bytes, at most ${maxHeaderLength} are allowed; write several files`)
  const bytes = new Uint8Array(prefixLength + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, prefixLength)
  return bytes
}

/** Bytes of a tensor that is to be written. */
export function tensorBytes({ name, dtype, shape }: TensorInfo): number {
  const whole = shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  const bytes = whole ? byteLength(dtype, shape) : undefined
  if (bytes === undefined) throw new CheckpointError(`${shown(name)}: ${dtype} (${shape}) has no size in whole bytes`)
  return bytes
}

function decode(header: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header)
  } catch (cause) {
    throw new CheckpointError(`${where}: header: expected UTF-8 text; the file is damaged: download it again`, {
      cause,
    })
  }
}

function readEntry(cursor: JsonCursor, name: string, place: HeaderPlace, dataStart: number): StoredTensor {
  const where = `${place.where}: ${shown(name)}`
  let dtype: string | undefined
  let shape: number[] | undefined
  let offsets: number[] | undefined
  readObject(cursor, (key) => {
    if (key === 'dtype') dtype = readString(cursor)
    else if (key === 'shape') shape = readCounts(cursor, maxRank)
    else if (key === 'data_offsets') offsets = readCounts(cursor, 2)
    else throw new CheckpointError(`${where}: expected dtype, shape and data_offsets, found ${shown(key)}`)
  })
  if (dtype === undefined) throw new CheckpointError(`${where}: dtype is missing`)
  if (shape === undefined) throw new CheckpointError(`${where}: shape is missing`)
  const [begin, end] = offsets ?? []
  if (begin === undefined || end === undefined)
    throw new CheckpointError(
      `${where}: data_offsets: expected [begin, end], found ${JSON.stringify(offsets) ?? 'none'}`,
    )
  if (!isDtype(dtype)) {
    const known = Object.keys(dtypeBits).join(', ')
    throw new CheckpointError(`${where}: dtype: expected one of ${known}, found ${shown(dtype)}`)
  }
  const length = byteLength(dtype, shape)
  if (length === undefined)
    throw new CheckpointError(`${where}: ${dtype} of shape (${shape}) is no whole number of bytes below 2^53`)
  if (end - begin !== length)
    throw new CheckpointError(
      `${where}: ${dtype} of shape (${shape}) is ${length} bytes, data_offsets [${begin}, ${end}] are not`,
    )
  if (end > place.size - dataStart)
    throw new CheckpointError(
      `${where}: its data ends at byte ${dataStart + end}, the file at byte ${place.size}; the file is incomplete: download it again`,
    )
  return { name, dtype, shape, file: place.file, offset: dataStart + begin, length }
}

function readCounts(cursor: JsonCursor, limit: number): number[] {
  const counts: number[] = []
  readArray(cursor, () => {
    if (counts.length === limit) throw unexpected(cursor, `at most ${limit} numbers`)
    counts.push(readCount(cursor))
  })
  return counts
}

/** Every byte of the data belongs to exactly one tensor. `tensors` are in the order of their bytes. */
function checkCoverage(tensors: readonly StoredTensor[], { where, size }: HeaderPlace, dataStart: number): void {
  let end = dataStart
  let before = 'the header'
  for (const { name, offset, length } of tensors) {
    if (offset < end)
      throw new CheckpointError(
        `${where}: ${shown(name)} starts at byte ${offset}, where ${before} reaches to byte ${end}`,
      )
    if (offset > end)
      throw new CheckpointError(
        `${where}: no tensor has bytes ${end} to ${offset}, between ${before} and ${shown(name)}`,
      )
    end = offset + length
    before = shown(name)
  }
  if (end !== size)
    throw new CheckpointError(
      `${where}: ${size - end} bytes follow the last tensor, which ends at byte ${end} of ${size}`,
    )
}
