/** Pickles, zip archives and legacy files, made by hand (not by the code under test). */
import { crc32 } from '../../src/checkpoints/zip.ts'

/** A piece of a pickle: what leaves one value on the stack. */
export type Piece = Buffer

const bytes = (...values: number[]) => Buffer.from(values)
const ascii = (text: string) => Buffer.from(text, 'latin1')

/** The instructions that build values, in protocol 2. */
export const pickled = {
  none: ascii('N'),
  no: bytes(0x89),
  text(value: string): Piece {
    const utf8 = Buffer.from(value)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(utf8.length)
    return Buffer.concat([ascii('X'), length, utf8])
  },
  /** LONG1, 9 bytes: any whole number that the tests need. */
  int(value: number): Piece {
    const digits = Buffer.alloc(9, value < 0 ? 0xff : 0)
    digits.writeBigInt64LE(BigInt(value))
    return Buffer.concat([bytes(0x8a, 9), digits])
  },
  tuple: (...items: Piece[]): Piece => Buffer.concat([ascii('('), ...items, ascii('t')]),
  list: (...items: Piece[]): Piece => Buffer.concat([ascii(']('), ...items, ascii('e')]),
  dict: (entries: readonly (readonly [Piece, Piece])[]): Piece =>
    Buffer.concat([ascii('}('), ...entries.flat(), ascii('u')]),
  global: (module: string, name: string): Piece => ascii(`c${module}\n${name}\n`),
  call: (callee: Piece, ...args: Piece[]): Piece => Buffer.concat([callee, pickled.tuple(...args), ascii('R')]),
  /** A whole pickle. */
  whole: (value: Piece): Buffer => Buffer.concat([bytes(0x80, 2), value, ascii('.')]),
}

export interface TensorSpec {
  readonly key?: string
  readonly type?: string
  /** Elements of the storage. */
  readonly size?: number
  readonly offset?: number
  readonly shape?: readonly number[]
  readonly strides?: readonly number[]
}

const { call, dict, global, int, no, text, tuple, whole } = pickled

/** A storage outside the pickle. */
export function storage(type: Piece, key: string, size: number): Piece {
  return Buffer.concat([tuple(text('storage'), type, text(key), text('cpu'), int(size)), ascii('Q')])
}

/** A float tensor (2) that is all of storage 0, unless told otherwise. */
export function tensor(spec: TensorSpec = {}): Piece {
  const { key = '0', type = 'FloatStorage', size = 2, offset = 0, shape = [2], strides = [1] } = spec
  return call(
    global('torch._utils', '_rebuild_tensor_v2'),
    storage(global('torch', type), key, size),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    no,
    call(global('collections', 'OrderedDict')),
  )
}

/** A pickled dict with these values. */
export function stateDict(entries: Readonly<Record<string, Piece>>): Piece {
  return dict(Object.entries(entries).map(([name, value]) => [text(name), value] as const))
}

export interface ZipFile {
  readonly name: string
  /** Bytes, or how many zeros, which a sparse file need not store. */
  readonly data: Uint8Array | number
  readonly method?: number
  readonly flags?: number
  readonly crc?: number
  /** In place of the place of its local header. */
  readonly offset?: number
}

/** Bytes of a file at their places; what is between them is zero. */
export interface Part {
  readonly at: number
  readonly bytes: Buffer
}

/** A zip archive; with `large`, every size and place stands in zip64 fields, as they must above 4 GB. */
export function zipParts(files: readonly ZipFile[], large = false): { parts: Part[]; size: number } {
  const parts: Part[] = []
  let at = 0
  const put = (bytes: Buffer) => {
    parts.push({ at, bytes })
    at += bytes.length
  }
  const places = files.map(({ name, data, method = 0, flags = 0 }) => {
    const place = at
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50)
    header.writeUInt16LE(flags, 6)
    header.writeUInt16LE(method, 8)
    header.writeUInt16LE(Buffer.byteLength(name), 26)
    // Like PyTorch, an extra field "FB" of any length that brings the data to a multiple of 64.
    const padding = (128 - ((at + 30 + Buffer.byteLength(name) + 4) % 64)) % 64
    header.writeUInt16LE(padding + 4, 28)
    const extra = Buffer.alloc(padding + 4, 'Z')
    extra.write('FB')
    extra.writeUInt16LE(padding, 2)
    put(Buffer.concat([header, Buffer.from(name), extra]))
    if (typeof data === 'number') at += data
    else put(Buffer.from(data))
    return place
  })
  const start = at
  for (const [i, file] of files.entries()) put(centralHeader(file, file.offset ?? places[i]!, large))
  put(endRecords(files.length, start, at - start, large))
  return { parts, size: at }
}

export function zip(files: readonly ZipFile[], large = false): Buffer {
  return Buffer.concat(
    zipParts(
      files.map((file) => ({ ...file, data: asBytes(file.data) })),
      large,
    ).parts.map((part) => part.bytes),
  )
}

/** The archive that torch.save makes of a pickled value and storages. */
export function torchZip(value: Piece, storages: Readonly<Record<string, Uint8Array | number>> = { 0: 8 }): Buffer {
  return zip(torchFiles(value, storages))
}

export function torchFiles(value: Piece, storages: Readonly<Record<string, Uint8Array | number>>): ZipFile[] {
  return [
    { name: 'archive/data.pkl', data: whole(value) },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
    { name: 'archive/version', data: ascii('3\n') },
  ]
}

/** The form before PyTorch 1.6. `storages`: key, number of elements as the file states it, data. */
export function torchLegacy(
  value: Piece,
  storages: readonly (readonly [key: string, count: number, data: Uint8Array])[] = [['0', 2, new Uint8Array(8)]],
): Buffer {
  const magic = Buffer.concat([bytes(0x8a, 10), Buffer.from('6cfc9c46f9206aa85019', 'hex')])
  return Buffer.concat([
    whole(magic),
    whole(int(1001)),
    whole(dict([[text('little_endian'), bytes(0x88)]])),
    whole(value),
    whole(pickled.list(...storages.map(([key]) => text(key)))),
    ...storages.flatMap(([, count, data]) => {
      const size = Buffer.alloc(8)
      size.writeBigInt64LE(BigInt(count))
      return [size, data]
    }),
  ])
}

function centralHeader({ name, data, method = 0, flags = 0, crc }: ZipFile, place: number, large: boolean): Buffer {
  const size = typeof data === 'number' ? data : data.length
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50)
  header.writeUInt16LE(flags, 8)
  header.writeUInt16LE(method, 10)
  header.writeUInt32LE(crc ?? (typeof data === 'number' ? 0 : crc32(data)), 16)
  header.writeUInt16LE(Buffer.byteLength(name), 28)
  if (!large) {
    header.writeUInt32LE(size, 20)
    header.writeUInt32LE(size, 24)
    header.writeUInt32LE(place, 42)
    return Buffer.concat([header, Buffer.from(name)])
  }
  for (const at of [20, 24, 42]) header.writeUInt32LE(0xffffffff, at)
  const extra = Buffer.alloc(28)
  extra.writeUInt16LE(1)
  extra.writeUInt16LE(24, 2)
  for (const [i, value] of [size, size, place].entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i)
  header.writeUInt16LE(extra.length, 30)
  return Buffer.concat([header, Buffer.from(name), extra])
}

function endRecords(count: number, start: number, length: number, large: boolean): Buffer {
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  for (const at of [8, 10]) end.writeUInt16LE(large ? 0xffff : count, at)
  end.writeUInt32LE(large ? 0xffffffff : length, 12)
  end.writeUInt32LE(large ? 0xffffffff : start, 16)
  if (!large) return end
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06064b50)
  record.writeBigUInt64LE(44n, 4)
  for (const [i, value] of [count, count, length, start].entries()) record.writeBigUInt64LE(BigInt(value), 24 + 8 * i)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50)
  locator.writeBigUInt64LE(BigInt(start + length), 8)
  return Buffer.concat([record, locator, end])
}

function asBytes(data: Uint8Array | number): Uint8Array {
  return typeof data === 'number' ? new Uint8Array(data) : data
}
