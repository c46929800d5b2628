/** Reading bytes of several files, a piece at a time. */
import { type FileHandle, open } from 'node:fs/promises'
import { fileError } from '../../checkpoints/node-errors.ts'
import { readFully } from '../../checkpoints/node-read.ts'
import { fileState } from '../../checkpoints/node-widen.ts'
import { CheckpointError } from '../../errors.ts'
import type { Span } from './plan.ts'

/** Bytes that are read at once. */
const pieceBytes = 2 ** 22

export interface SpanReader {
  /** The bytes of the spans one after the other. A piece is valid until the next is asked for. */
  pieces(spans: readonly (Span | number)[]): AsyncGenerator<Uint8Array>
  /** Whether two spans hold the same bytes. */
  equal(a: Span, b: Span): Promise<boolean>
  isZero(span: Span): Promise<boolean>
  /** Throws CheckpointError if a file is no longer what it was when its first byte was read. */
  checkUnchanged(): Promise<void>
  close(): Promise<void>
}

export function createSpanReader(signal: AbortSignal): SpanReader {
  const files = new Map<string, { readonly handle: FileHandle; readonly state: string }>()

  async function fileOf(path: string) {
    const known = files.get(path)
    if (known) return known
    const handle = await open(path).catch((error) => Promise.reject(fileError(error, path)))
    const opened = { handle, state: fileState(await handle.stat({ bigint: true })) }
    files.set(path, opened)
    return opened
  }

  async function read({ file, offset }: Span, done: number, into: Uint8Array): Promise<void> {
    signal.throwIfAborted()
    const { handle } = await fileOf(file)
    const found = await readFully(handle, into, offset + done).catch((error) => Promise.reject(fileError(error, file)))
    if (found < into.length) throw changed(file)
  }

  async function* pieces(spans: readonly (Span | number)[]): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(pieceBytes)
    for (const span of spans) {
      const length = typeof span === 'number' ? span : span.length
      for (let done = 0; done < length; done += pieceBytes) {
        const piece = buffer.subarray(0, Math.min(pieceBytes, length - done))
        if (typeof span === 'number') piece.fill(0)
        else await read(span, done, piece)
        yield piece
      }
    }
  }

  return {
    pieces,
    async equal(a, b) {
      if (a.length !== b.length) return false
      if (a.file === b.file && a.offset === b.offset) return true
      const [one, other] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)]
      for (let done = 0; done < a.length; done += pieceBytes) {
        const length = Math.min(pieceBytes, a.length - done)
        await read(a, done, one.subarray(0, length))
        await read(b, done, other.subarray(0, length))
        if (!one.subarray(0, length).equals(other.subarray(0, length))) return false
      }
      return true
    },
    async isZero(span) {
      for await (const piece of pieces([span])) if (piece.some((byte) => byte !== 0)) return false
      return true
    },
    async checkUnchanged() {
      for (const [path, { handle, state }] of files)
        if (fileState(await handle.stat({ bigint: true })) !== state) throw changed(path)
    },
    async close() {
      for (const { handle } of files.values()) await handle.close()
    },
  }
}

function changed(file: string): CheckpointError {
  return new CheckpointError(`${file}: the file changed while it was read; try again when it is complete`)
}
