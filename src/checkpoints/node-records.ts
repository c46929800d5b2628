/**
 * An append-only file of records. However the process that writes it ends, the records that were appended before are there when it is
 * opened again: what is not whole at the end is cut off.
 *
 *     4 bytes   CRC-32 of all that follows in the record
 *     4 bytes   n, bytes of the payload
 *     n bytes   payload
 *
 * Numbers are unsigned and little-endian.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { fileError, writeError } from './node-errors.ts'
import { readFully } from './node-read.ts'
import { writeFully } from './node-write.ts'
import { crc32 } from './zip.ts'

const headerBytes = 8

/** A larger payload is taken for damage. Bytes. */
const mostBytes = 2 ** 30

/** Bytes that are read at once when a file is checked. */
const windowBytes = 2 ** 22

export interface Records {
  readonly path: string
  readonly count: number
  /** Bytes of the payload of a record. */
  size(index: number): number
  /** Appends one record whose payload is the parts one after the other. Throws CheckpointError, e.g. for a full disk. */
  append(...parts: readonly ArrayBufferView[]): Promise<void>
  /** Fills `target` with the payload of a record from byte `from` on. */
  read(index: number, target: ArrayBufferView, from?: number): Promise<void>
  /** Drops all records but the first `count`. */
  keep(count: number): Promise<void>
  close(): Promise<void>
}

/** Opens or makes the file. Throws CheckpointError where that is not possible. */
export async function openRecords(path: string): Promise<Records> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT).catch((error) => {
    throw fileError(error, path)
  })
  try {
    const starts = await wholeRecords(handle)
    await handle.truncate(starts.at(-1)!)
    return records(path, handle, starts)
  } catch (error) {
    await handle.close()
    throw fileError(error, path)
  }
}

/** `starts` has where each record begins, and where the next one will. */
function records(path: string, handle: FileHandle, starts: number[]): Records {
  return {
    path,
    get count() {
      return starts.length - 1
    },
    size: (index) => starts[index + 1]! - starts[index]! - headerBytes,

    async append(...parts) {
      const record = Buffer.concat([new Uint8Array(headerBytes), ...parts.map(bytesOf)])
      if (record.length - headerBytes > mostBytes) throw new RangeError(`${path}: record of ${record.length} bytes`)
      record.writeUInt32LE(record.length - headerBytes, 4)
      record.writeUInt32LE(crc32(record.subarray(4)), 0)
      const start = starts.at(-1)!
      try {
        await writeFully(handle, record, start)
      } catch (error) {
        throw await writeError(error, path, record.length)
      }
      starts.push(start + record.length)
    },

    async read(index, target, from = 0) {
      const bytes = bytesOf(target)
      if (from + bytes.length > this.size(index)) throw new RangeError(`${path}: record ${index} is too short`)
      const found = await readFully(handle, bytes, starts[index]! + headerBytes + from)
      if (found < bytes.length) throw fileError(new Error('cut short while it was in use'), path)
    },

    async keep(count) {
      if (count >= starts.length - 1) return
      starts.length = count + 1
      await handle.truncate(starts[count]!)
    },

    close: () => handle.close(),
  }
}

/**
 * Drops the records of a batch that is not whole, unless it is the last one. So a run that goes on computes in the batches of an
 * unbroken one: which items are computed together may change the last bits of their numbers.
 */
export async function keepWholeBatches(records: Records, total: number, batch: number): Promise<void> {
  if (records.count < total) await records.keep(records.count - (records.count % batch))
}

/** Where the records begin, up to the first that is not whole, and where the last one ends. */
async function wholeRecords(handle: FileHandle): Promise<number[]> {
  const { size } = await handle.stat()
  const starts = [0]
  let window = Buffer.alloc(0)
  let windowStart = 0
  const bytesAt = async (position: number, length: number) => {
    if (position + length > windowStart + window.length) {
      window = Buffer.alloc(Math.min(size - position, Math.max(length, windowBytes)))
      windowStart = position
      await readFully(handle, window, position)
    }
    return window.subarray(position - windowStart, position - windowStart + length)
  }
  for (let start = 0; start + headerBytes <= size; start = starts.at(-1)!) {
    const length = (await bytesAt(start, headerBytes)).readUInt32LE(4)
    if (length > mostBytes || start + headerBytes + length > size) break
    const record = await bytesAt(start, headerBytes + length)
    if (crc32(record.subarray(4)) !== record.readUInt32LE(0)) break
    starts.push(start + record.length)
  }
  return starts
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
