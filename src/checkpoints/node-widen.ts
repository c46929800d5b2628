/** The 16-bit floats of a file → a file of float32, piece by piece: what is larger than memory can be widened too. */
import type { BigIntStats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { CheckpointError } from '../errors.ts'
import { fileError } from './node-errors.ts'
import { writeSafetensors } from './node-write.ts'
import type { StoredTensor } from './safetensors.ts'
import { widenBfloat16, widenFloat16 } from './widen.ts'

/** Bytes that are read at once; twice as many are written. */
const pieceBytes = 2 ** 21

/** The 16-bit floats of one file. */
export interface HalfTensors {
  /** Absolute path. */
  readonly file: string
  /** `fileState` of the file when its tensors were looked up. */
  readonly state: string
  /** F16 and BF16 only. */
  readonly tensors: readonly StoredTensor[]
}

/** Tells one content of a file from another: size in bytes, time of the last change in nanoseconds. */
export function fileState({ size, mtimeNs }: BigIntStats): string {
  return `${size} ${mtimeNs}`
}

/**
 * Writes the tensors as F32 to `draft`, which is of no use when this throws. `onBytes` is called after each piece with the bytes of the
 * source that it had; what it throws ends the work. Throws CheckpointError otherwise.
 */
export async function widenFile(source: HalfTensors, draft: string, onBytes: (bytes: number) => void): Promise<void> {
  const { file, state, tensors } = source
  const handle = await open(file).catch((error) => Promise.reject(fileError(error, file)))
  try {
    const halves = new Uint16Array(pieceBytes / 2)
    const floats = new Float32Array(pieceBytes / 2)
    async function* pieces({ name, dtype, offset, length }: StoredTensor): AsyncGenerator<Uint8Array> {
      const widen = dtype === 'F16' ? widenFloat16 : widenBfloat16
      for (let done = 0; done < length; done += pieceBytes) {
        const bytes = Math.min(pieceBytes, length - done)
        await readExactly(handle, new Uint8Array(halves.buffer, 0, bytes), offset + done, `${file}: ${name}`)
        widen(halves.subarray(0, bytes / 2), floats.subarray(0, bytes / 2))
        yield new Uint8Array(floats.buffer, 0, 2 * bytes)
        onBytes(bytes)
      }
    }
    const widened = tensors.map((tensor) => ({ ...tensor, dtype: 'F32' as const, data: pieces(tensor) }))
    await writeSafetensors(draft, widened, { source: file })
    if (fileState(await handle.stat({ bigint: true })) !== state) throw changed(file)
  } finally {
    await handle.close()
  }
}

async function readExactly(handle: FileHandle, bytes: Uint8Array, position: number, where: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done)
      if (bytesRead === 0) throw changed(where)
      done += bytesRead
    }
  } catch (error) {
    throw fileError(error, where)
  }
}

function changed(where: string): CheckpointError {
  return new CheckpointError(`${where}: the file changed while it was read; try again when it is complete`)
}
