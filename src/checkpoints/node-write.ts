/** Writing files, .safetensors before all: streamed, so that one larger than memory can be made, and atomic, so that no half file is left. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { dtypeBits } from './dtype.ts'
import { errorCode, writeError } from './node-errors.ts'
import { encodeHeader, type TensorInfo, tensorBytes } from './safetensors.ts'

/** One tensor with its values: little-endian bytes in one piece (any typed array), or in pieces that are asked for when they are due. */
export interface TensorToWrite extends TensorInfo {
  readonly data: ArrayBufferView | Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/**
 * Writes the tensors to `path`, over a file that may be there already. The widest types come first, in the given order otherwise, so
 * that every tensor starts at a multiple of its element size. Throws CheckpointError, or what the source of the data threw; `path` is
 * then as it was.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = tensors.toSorted((a, b) => dtypeBits[b.dtype] - dtypeBits[a.dtype])
  const header = encodeHeader(ordered, metadata)
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield header
    for (const tensor of ordered) yield* tensorPieces(tensor, path)
  }
  const size = ordered.reduce((sum, tensor) => sum + tensorBytes(tensor), header.length)
  await writeAtomically(path, pieces(), size)
}

/**
 * Writes pieces of text or bytes one after the other to `path`, over a file that may be there already: it has all of them, or is as it
 * was. `size`, in bytes, is for the message about a full disk. Throws CheckpointError, or what the source of the pieces threw.
 */
export async function writeAtomically(
  path: string,
  pieces: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  size?: number,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  let written = 0
  try {
    const handle = await open(temporary, 'wx')
    try {
      for await (const piece of pieces) {
        const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
        written += bytes.length
        await writeFully(handle, bytes)
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw errorCode(error) === undefined ? error : await writeError(error, path, size ?? written)
  }
}

async function* tensorPieces(tensor: TensorToWrite, path: string): AsyncGenerator<Uint8Array> {
  const { name, data } = tensor
  const expected = tensorBytes(tensor)
  const pieces = ArrayBuffer.isView(data) ? [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] : data
  let written = 0
  for await (const piece of pieces) {
    written += piece.length
    if (written > expected) break
    yield piece
  }
  if (written !== expected)
    throw new CheckpointError(
      `${path}: ${name}: ${tensor.dtype} (${tensor.shape}) needs ${expected} bytes, found ${written > expected ? 'at least ' : ''}${written}`,
    )
}

/**
 * Writes all bytes, at `position` or else where the last write ended. One call of the system may write fewer than it was given, and
 * does so when a disk is about to be full; one is at most 1 GiB here, because the calls stop at 2.
 */
export async function writeFully(
  handle: Pick<FileHandle, 'write'>,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const at = position === undefined ? null : position + done
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30), at)
    done += bytesWritten
  }
}

/** Makes the rename durable. Windows cannot open a folder, and needs it less. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined)
  try {
    await handle?.sync().catch(() => {})
  } finally {
    await handle?.close()
  }
}
