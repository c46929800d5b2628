/**
 * Files of `torch.save`, told by their first bytes, in both forms:
 *
 *     zip       archive/data.pkl, archive/data/0, archive/data/1, …: the pickle, and one file for each storage
 *     legacy    (before PyTorch 1.6) five pickles: magic number, protocol version, system, the object, keys of the storages;
 *               then for each key its number of elements (8 bytes) and its data
 *
 * Source: PyTorch 2.4, torch/serialization.py (`_save`, `_legacy_save`).
 */
import { CheckpointError } from '../errors.ts'
import { dtypeBits } from './dtype.ts'
import { shown } from './json.ts'
import { readPickle } from './pickle.ts'
import { describe, isKind, type PickleValue, type TorchStorage } from './pickle-values.ts'
import type { HeaderPlace } from './safetensors.ts'
import { createTorchHost } from './torch-objects.ts'
import type { ZipEntry } from './zip.ts'

/** Bytes from the start of the file that tell the form. */
export const torchPrefixLength = 32

/** Largest pickle that is read, in bytes; that of a BLIP-2 training checkpoint has less than one million. */
export const maxPickleLength = 2 ** 25

/** LONG1, 10 bytes: 0x1950a86a20f9469cfc6c. It follows PROTO, or PROTO and FRAME. */
const legacyMagic = Uint8Array.of(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19)

export function torchForm(prefix: Uint8Array): 'zip' | 'legacy' | undefined {
  // The brace: a safetensors header may be as long as the zip signature says, read as a number.
  if (startsWith(prefix, Uint8Array.of(0x50, 0x4b, 3, 4))) return prefix[8] === 0x7b ? undefined : 'zip'
  const legacy = prefix[0] === 0x80 && [2, 11].some((at) => startsWith(prefix.subarray(at), legacyMagic))
  return legacy ? 'legacy' : undefined
}

/** Where a storage lies: bytes from the start of the file, and bytes of its data. */
export interface StorageSpan {
  readonly offset: number
  readonly length: number
}

/** Bytes of a storage. */
export function storageLength({ size, dtype }: TorchStorage): number {
  return (size * dtypeBits[dtype]) / 8
}

/** The files of an archive that matter. Its top folder may have any name. */
export interface TorchArchive {
  readonly pickle: ZipEntry
  /** `little` or `big`, as text; absent in files of PyTorch before 2.1. */
  readonly byteorder: ZipEntry | undefined
  /** The file of a storage, which must have its size. */
  storage(storage: TorchStorage): ZipEntry
}

export function torchArchive(entries: ReadonlyMap<string, ZipEntry>, where: string): TorchArchive {
  const pickles = [...entries.keys()].filter((name) => /(^|\/)data\.pkl$/.test(name))
  const [name] = pickles
  const pickle = entries.get(name ?? '')
  if (name === undefined || pickle === undefined || pickles.length > 1) {
    const found =
      pickles.length > 1
        ? pickles
            .slice(0, 3)
            .map((other) => shown(other))
            .join(', ')
        : 'none'
    throw new CheckpointError(
      `${where}: a zip archive; expected one data.pkl in it, as torch.save writes it, found ${found}`,
    )
  }
  if (pickle.size > maxPickleLength)
    throw new CheckpointError(`${where}: ${shown(name)} has ${pickle.size} bytes, at most ${maxPickleLength} are read`)
  const folder = name.slice(0, -'data.pkl'.length)
  return {
    pickle,
    byteorder: entries.get(`${folder}byteorder`),
    storage(storage) {
      const file = `${folder}data/${storage.key}`
      const entry = entries.get(file)
      if (entry === undefined)
        throw new CheckpointError(`${where}: ${shown(file)} is missing in the archive; get the file again`)
      const length = storageLength(storage)
      if (entry.size !== length)
        throw new CheckpointError(
          `${where}: ${shown(file)} has ${entry.size} bytes, its ${storage.size} x ${storage.dtype} need ${length}`,
        )
      return entry
    },
  }
}

/** A storage of the legacy form. */
export interface LegacyStorage extends StorageSpan {
  /** Elements; the 8 bytes before the data say so too. */
  readonly size: number
}

/** Reads the five pickles at the start of `bytes` (`maxPickleLength` of the file, or all) and works out where the storages are. */
export function readLegacy(
  bytes: Uint8Array,
  place: HeaderPlace,
): { readonly value: PickleValue; readonly storages: ReadonlyMap<string, LegacyStorage> } {
  const { where, size } = place
  const host = createTorchHost()
  let at = 0
  const next = (): PickleValue => {
    const { value, end } = readPickle(bytes, at, host, where)
    at = end
    return value
  }
  next() // The magic number, by which the file was recognised.
  const version = next()
  if (version !== 1001)
    throw new CheckpointError(`${where}: expected protocol version 1001, found ${describe(version)}`)
  next() // The system that wrote it. Data is little-endian on all of them.
  const value = next()
  const keys = next()
  if (!isKind(keys, 'list'))
    throw new CheckpointError(`${where}: expected the keys of the storages, found ${describe(keys)}`)

  const storages = new Map<string, LegacyStorage>()
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? host.storages.get(key) : undefined
    if (storage === undefined || storages.has(storage.key))
      throw new CheckpointError(
        `${where}: storage ${typeof key === 'string' ? shown(key) : describe(key)} is listed and not used, or twice`,
      )
    const span = { offset: at + 8, length: storageLength(storage), size: storage.size }
    at = span.offset + span.length
    if (at > size)
      throw new CheckpointError(
        `${where}: storage ${shown(storage.key)} ends at byte ${at}, the file at byte ${size}; the file is incomplete: get it again`,
      )
    storages.set(storage.key, span)
  }
  return { value, storages }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => bytes[i] === byte)
}
