/** The table of tensors of a `.pth` or `.bin` file. The data is left where it is: what is read is the pickle and the way to the storages. */
import { CheckpointError } from '../errors.ts'
import { shown } from './json.ts'
import { type Readable, readFully } from './node-read.ts'
import { readPickle } from './pickle.ts'
import type { PickleValue, TorchStorage } from './pickle-values.ts'
import type { Header, HeaderPlace } from './safetensors.ts'
import { maxPickleLength, readLegacy, type StorageSpan, torchArchive } from './torch.ts'
import { createTorchHost } from './torch-objects.ts'
import { findStateDict, storedTensor } from './torch-state.ts'
import { crc32, dataOffset, findDirectory, localLength, readDirectory, type ZipEntry, zipTailLength } from './zip.ts'

/** What a file holds, before it is known which of it is the state dict. */
interface TorchFile {
  readonly value: PickleValue
  readonly where: string
  /** Finds a storage, and checks that it is all there. */
  locate(storage: TorchStorage): Promise<StorageSpan>
}

/**
 * Reads the table. Names are those in the state dict; `metadata.wrapper` says where it was found (`model`, `state_dict`), if not at the
 * top. Tensors that share a storage (tied weights) point at the same bytes. Throws CheckpointError.
 */
export async function readTorch(handle: Readable, place: HeaderPlace, form: 'zip' | 'legacy'): Promise<Header> {
  const file = form === 'zip' ? await openZip(handle, place) : await openLegacy(handle, place)
  const { tensors, wrapper } = findStateDict(file.value, file.where)
  const spans = new Map<TorchStorage, StorageSpan>()
  for (const { storage } of tensors.values()) if (!spans.has(storage)) spans.set(storage, await file.locate(storage))
  const stored = Array.from(tensors, ([name, tensor]) =>
    storedTensor(name, tensor, spans.get(tensor.storage) as StorageSpan, place),
  )
  stored.sort((a, b) => a.offset - b.offset || a.length - b.length)
  return { tensors: stored, metadata: { format: `torch ${form}`, ...(wrapper !== '' && { wrapper }) } }
}

async function openZip(handle: Readable, place: HeaderPlace): Promise<TorchFile> {
  const tailLength = Math.min(zipTailLength, place.size)
  const directory = findDirectory(await read(handle, place.size - tailLength, tailLength, place), place)
  const entries = readDirectory(await read(handle, directory.offset, directory.length, place), directory, place)
  const archive = torchArchive(entries, place.where)
  if (archive.byteorder) {
    const order = new TextDecoder().decode((await content(archive.byteorder)).subarray(0, 16))
    if (order !== 'little')
      throw new CheckpointError(
        `${place.where}: byte order ${shown(order)}, only "little" can be read; save the file again on another machine`,
      )
  }
  const where = `${place.where}: ${archive.pickle.name}`
  const pickle = await content(archive.pickle)
  if (crc32(pickle) !== archive.pickle.crc)
    throw new CheckpointError(
      `${where}: its checksum (CRC-32) is not that of the directory; the file is damaged: get it again`,
    )
  const { value, end } = readPickle(pickle, 0, createTorchHost(), where)
  if (end < pickle.length)
    throw new CheckpointError(`${where}: ${pickle.length - end} bytes follow the end of the pickle`)
  return { value, where, locate: (storage) => span(archive.storage(storage)) }

  async function content(entry: ZipEntry): Promise<Uint8Array> {
    const { offset, length } = await span(entry)
    return read(handle, offset, length, place)
  }

  async function span(entry: ZipEntry): Promise<StorageSpan> {
    const header = await read(handle, entry.headerOffset, localLength(entry), place)
    return { offset: dataOffset(entry, header, place), length: entry.size }
  }
}

async function openLegacy(handle: Readable, place: HeaderPlace): Promise<TorchFile> {
  const start = await read(handle, 0, Math.min(maxPickleLength, place.size), place)
  const { value, storages } = readLegacy(start, place)
  return { value, where: place.where, locate }

  async function locate({ key }: TorchStorage): Promise<StorageSpan> {
    const storage = storages.get(key)
    if (storage === undefined) throw new CheckpointError(`${place.where}: storage ${shown(key)} is used and not listed`)
    const bytes = await read(handle, storage.offset - 8, 8, place)
    const size = new DataView(bytes.buffer).getBigInt64(0, true)
    if (size !== BigInt(storage.size))
      throw new CheckpointError(
        `${place.where}: storage ${shown(key)}: expected ${storage.size} elements, found ${size} at byte ${storage.offset - 8}; get the file again`,
      )
    return storage
  }
}

async function read(
  handle: Readable,
  position: number,
  length: number,
  { where, size }: HeaderPlace,
): Promise<Uint8Array> {
  const there = length <= size - position ? new Uint8Array(length) : undefined
  if (there && (await readFully(handle, there, position)) === length) return there
  throw new CheckpointError(
    `${where}: expected ${length} bytes at ${position}, the file ends at ${size}; the file is incomplete: get it again`,
  )
}
