/**
 * Zip archives whose files are stored, not compressed, so that they can be used where they lie. No files here; those are in node-torch.ts.
 *
 *     local header, name, extra field, data      for each file
 *     central header, name, extra, comment       for each file: the directory
 *     [zip64 end record, zip64 locator]          where the archive is, or may become, larger than 4 GB
 *     end record, comment
 *
 * Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3 (zip64).
 */
import { CheckpointError } from '../errors.ts'
import { shown } from './json.ts'

export interface ZipEntry {
  readonly name: string
  /** Bytes of the data, stored as they are. */
  readonly size: number
  /** CRC-32 of the data. */
  readonly crc: number
  /** Where the local header starts, in bytes from the start of the file. */
  readonly headerOffset: number
  /** Where the next file, or the directory, starts: the data ends there at the latest. */
  readonly limit: number
  /** Why the data cannot be used where it is, if so: compressed or encrypted. */
  readonly obstacle: string | undefined
}

/** Where the directory lies. */
export interface ZipDirectory {
  readonly offset: number
  readonly length: number
  /** Number of files. */
  readonly count: number
}

/** What errors need to know of the file around. */
export interface ZipPlace {
  readonly where: string
  /** Bytes of the whole file. */
  readonly size: number
}

const localHeader = { signature: 0x04034b50, length: 30 }
const centralHeader = { signature: 0x02014b50, length: 46 }
const zip64End = { signature: 0x06064b50, length: 56 }
const zip64Locator = { signature: 0x07064b50, length: 20 }
const end = { signature: 0x06054b50, length: 22 }

/** Bytes at the end of a file that have the end records: the comment is the last, and at most 65,535 bytes. */
export const zipTailLength = 0xffff + end.length + zip64Locator.length + zip64End.length

/** Largest directory, in bytes: more than a hundred thousand files. */
const maxDirectoryLength = 2 ** 24

/** Finds the directory by the last bytes of the file (`zipTailLength`, or all of a shorter one). */
export function findDirectory(tail: Uint8Array, place: ZipPlace): ZipDirectory {
  const view = viewOf(tail)
  const at = findEnd(view)
  if (at === undefined)
    throw new CheckpointError(
      `${place.where}: the end of the zip archive is missing; the file is incomplete: get it again`,
    )
  const tailStart = place.size - tail.length
  const locator = at - zip64Locator.length
  const large = locator >= 0 && view.getUint32(locator, true) === zip64Locator.signature
  const directory = large ? readZip64End(view, long(view, locator + 8) - tailStart, place) : readEnd(view, at)
  const { offset, length, count } = directory
  if (offset + length > tailStart + at || count * centralHeader.length > length || length > maxDirectoryLength)
    throw new CheckpointError(
      `${place.where}: a zip directory of ${count} files and ${length} bytes at ${offset} in a file of ${place.size} bytes; the file is damaged: get it again`,
    )
  return directory
}

/** Reads the directory. The names are distinct, and no two files share bytes. */
export function readDirectory(bytes: Uint8Array, directory: ZipDirectory, { where }: ZipPlace): Map<string, ZipEntry> {
  const view = viewOf(bytes)
  const found: Omit<ZipEntry, 'limit'>[] = []
  for (let at = 0; found.length < directory.count; ) {
    const next = at + centralHeader.length <= bytes.length ? centralLength(view, at) : undefined
    if (next === undefined || at + next > bytes.length)
      throw new CheckpointError(`${where}: zip directory: file ${found.length} of ${directory.count} is damaged`)
    found.push(readCentral(bytes, view, at, where))
    at += next
  }
  found.sort((a, b) => a.headerOffset - b.headerOffset)
  const entries = new Map<string, ZipEntry>()
  for (const [i, entry] of found.entries()) {
    if (entries.has(entry.name)) throw new CheckpointError(`${where}: ${shown(entry.name)} is in the archive twice`)
    entries.set(entry.name, { ...entry, limit: found[i + 1]?.headerOffset ?? directory.offset })
  }
  return entries
}

/** Bytes of the local header and the name, which come before the extra field and the data. */
export function localLength(entry: ZipEntry): number {
  return localHeader.length + new TextEncoder().encode(entry.name).length
}

/** Where the data starts, in bytes from the start of the file. `bytes` are the local header and the name (`localLength`). */
export function dataOffset(entry: ZipEntry, bytes: Uint8Array, { where }: ZipPlace): number {
  const name = `${where}: ${shown(entry.name)}`
  if (entry.obstacle !== undefined)
    throw new CheckpointError(
      `${name} is ${entry.obstacle}; save the file again with torch.save, which stores tensors as they are`,
    )
  const view = viewOf(bytes)
  const nameLength = bytes.length - localHeader.length
  const agrees =
    view.getUint32(0, true) === localHeader.signature &&
    view.getUint16(26, true) === nameLength &&
    decode(bytes.subarray(localHeader.length)) === entry.name
  if (!agrees)
    throw new CheckpointError(
      `${name}: the directory says it is at byte ${entry.headerOffset}, where it is not; get the file again`,
    )
  const offset = entry.headerOffset + bytes.length + view.getUint16(28, true)
  if (offset + entry.size > entry.limit)
    throw new CheckpointError(
      `${name}: ${entry.size} bytes at ${offset} reach beyond byte ${entry.limit}, where something else starts; get the file again`,
    )
  return offset
}

/** The checksum of zip files (polynomial 0xEDB88320). Of "123456789": 0xCBF43926. */
export function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1
    return rest
  })
  const table = crcTable
  let crc = -1
  // Five times as fast as an iterator over the bytes.
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return ~crc >>> 0
}

let crcTable: Uint32Array | undefined

/** The last place that has the signature and a comment that ends with the file. */
function findEnd(view: DataView): number | undefined {
  for (let at = view.byteLength - end.length; at >= 0; at--)
    if (
      view.getUint32(at, true) === end.signature &&
      at + end.length + view.getUint16(at + 20, true) === view.byteLength
    )
      return at
  return undefined
}

function readEnd(view: DataView, at: number): ZipDirectory {
  return {
    count: view.getUint16(at + 10, true),
    length: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  }
}

function readZip64End(view: DataView, at: number, { where }: ZipPlace): ZipDirectory {
  if (at < 0 || at + zip64End.length > view.byteLength || view.getUint32(at, true) !== zip64End.signature)
    throw new CheckpointError(`${where}: the zip64 end record is not where its locator says; get the file again`)
  return { count: long(view, at + 32), length: long(view, at + 40), offset: long(view, at + 48) }
}

/** Bytes of a central header with all that follows it, or undefined where there is none. */
function centralLength(view: DataView, at: number): number | undefined {
  if (view.getUint32(at, true) !== centralHeader.signature) return undefined
  return (
    centralHeader.length + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  )
}

function readCentral(bytes: Uint8Array, view: DataView, at: number, where: string): Omit<ZipEntry, 'limit'> {
  const nameEnd = at + centralHeader.length + view.getUint16(at + 28, true)
  const name = decode(bytes.subarray(at + centralHeader.length, nameEnd))
  const extra = bytes.subarray(nameEnd, nameEnd + view.getUint16(at + 30, true))
  // Fields that are all ones stand in the zip64 extra field, in this order.
  const longs = zip64Fields(extra)
  const field = (place: number): number => {
    const short = view.getUint32(at + place, true)
    const value = short === 0xffffffff ? longs.shift() : short
    if (value !== undefined) return value
    throw new CheckpointError(`${where}: ${shown(name)}: its zip64 sizes are missing; get the file again`)
  }
  const [size, compressedSize, headerOffset] = [field(24), field(20), field(42)]
  return { name, size, crc: view.getUint32(at + 16, true), headerOffset, obstacle: obstacle(size, compressedSize) }

  function obstacle(size: number, compressedSize: number): string | undefined {
    if ((view.getUint16(at + 8, true) & 1) !== 0) return 'encrypted'
    return view.getUint16(at + 10, true) === 0 && size === compressedSize ? undefined : 'compressed'
  }
}

/** The numbers of the zip64 extra field (id 1), in their order. */
function zip64Fields(extra: Uint8Array): number[] {
  const view = viewOf(extra)
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue
    const last = Math.min(at + 4 + view.getUint16(at + 2, true), extra.length)
    const fields: number[] = []
    for (let place = at + 4; place + 8 <= last; place += 8) fields.push(long(view, place))
    return fields
  }
  return []
}

/** 8 bytes, little-endian. Above 2⁵³ it is inexact, and larger than any file. */
function long(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function decode(name: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(name)
}
