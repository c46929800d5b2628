/**
 * Weights are used where they lie, so the system reads a page when a graph first touches it: small pieces, in the order of the
 * computation. Reading the files from front to back beside the first image brings them in faster and in large contiguous
 * pieces, over which later passes are never slower and sometimes much faster (`bench/read-ahead.ts`).
 */
import { type FileHandle, open } from 'node:fs/promises'

export interface ReadAhead {
  /** Resolves when everything is in memory, or reading stopped. */
  readonly done: Promise<void>
  stop(): Promise<void>
}

const BLOCK = 64 * 2 ** 20
const PROBE = 2 ** 20
/** A block whose beginning arrives faster than this (bytes per second) is in memory already: the rest is skipped. */
const CACHED_RATE = 2.5e9

/** Reads the files in the background, in their order. A file that cannot be read is left to whoever maps it. */
export function readAhead(files: readonly string[]): ReadAhead {
  let stopped = false
  async function readFile(handle: FileHandle): Promise<void> {
    const buffer = Buffer.allocUnsafe(BLOCK / 8)
    const { size } = await handle.stat()
    for (let block = 0; block < size && !stopped; block += BLOCK) {
      const start = performance.now()
      await handle.read(buffer, 0, PROBE, block)
      if (PROBE / ((performance.now() - start) / 1e3) > CACHED_RATE) continue
      const end = Math.min(block + BLOCK, size)
      for (let at = block + PROBE; at < end && !stopped; at += buffer.length) {
        await handle.read(buffer, 0, Math.min(buffer.length, end - at), at)
      }
    }
  }
  async function readAll(): Promise<void> {
    for (const file of files) {
      const handle = await open(file).catch(() => undefined)
      try {
        if (handle && !stopped) await readFile(handle).catch(() => {})
      } finally {
        await handle?.close()
      }
    }
  }
  const done = readAll()
  return {
    done,
    async stop() {
      stopped = true
      await done
    },
  }
}
