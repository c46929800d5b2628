/** Features on their way into a file whose header, with the number of inputs, has to come first. They wait in files beside it. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { narrowFloat16 } from '../../checkpoints/narrow.ts'
import { errorCode, writeError } from '../../checkpoints/node-errors.ts'
import { writeFully } from '../../checkpoints/node-write.ts'
import { DataError } from '../../errors.ts'
import type { FeatureTensor } from '../../tasks/matching/results.ts'
import type { FeatureType } from '../../tasks/retrieval/feature-type.ts'

/** One array of features: matrices of the same width, of which texts have as many rows as tokens. */
export interface Spool {
  /** Rows of each matrix. */
  readonly rows: readonly number[]
  readonly width: number
  readonly dtype: FeatureType
  /** Appends a matrix. Throws CheckpointError for a full disk, DataError for a number that float16 does not have. */
  add(matrix: FeatureTensor): Promise<void>
  /** The bytes of each matrix, in order. */
  matrices(): AsyncGenerator<Uint8Array>
  /** Deletes the file. */
  remove(): Promise<void>
}

/** `out` is the file that the features are for. */
export async function openSpool(out: string, dtype: FeatureType): Promise<Spool> {
  const path = join(dirname(out), `.${basename(out)}.${randomBytes(6).toString('hex')}.tmp`)
  const bytesPerNumber = dtype === 'float16' ? 2 : 4
  const rows: number[] = []
  let width = 0
  let size = 0
  const handle: FileHandle = await orWriteError(() => open(path, 'wx+'))

  async function orWriteError<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw errorCode(error) === undefined ? error : await writeError(error, out, size)
    }
  }

  return {
    rows,
    dtype,
    get width() {
      return width
    },
    async add({ shape, data }) {
      const bytes = dtype === 'float16' ? halves(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      await orWriteError(() => writeFully(handle, bytes, size))
      rows.push(shape[0] as number)
      width = shape[1] as number
      size += bytes.length
    },
    async *matrices() {
      let position = 0
      for (const count of rows) {
        const { buffer } = await handle.read({ buffer: Buffer.alloc(count * width * bytesPerNumber), position })
        position += buffer.length
        yield buffer
      }
    },
    async remove() {
      await handle.close()
      await rm(path, { force: true })
    },
  }
}

function halves(values: Float32Array): Uint8Array {
  const narrow = new Uint16Array(values.length)
  const unfit = narrowFloat16(values, narrow)
  if (unfit !== -1)
    throw new DataError(`a feature of ${values[unfit]}, which float16 cannot hold; write --dtype float32`)
  return new Uint8Array(narrow.buffer)
}
