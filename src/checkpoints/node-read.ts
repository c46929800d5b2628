/** Reading a part of a file. */
import type { FileHandle } from 'node:fs/promises'

export type Readable = Pick<FileHandle, 'read'>

/** Fills `bytes` from `position`; returns how many there were. One read is at most 1 GiB: the system calls stop at 2. */
export async function readFully(handle: Readable, bytes: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
