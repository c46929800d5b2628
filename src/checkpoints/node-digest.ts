/** Digests of weight files, to tell runs and reports apart. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { readFully } from './node-read.ts'

export interface FileDigest {
  /** Without its folder. */
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

/** Blocks of a weight file that are looked at, and their size. */
const blocks = 64
const blockBytes = 65_536

/** Of the size of a large file and of blocks spread evenly over it, the first and the last among them: other weights differ everywhere. */
export async function digestBlocks(path: string): Promise<FileDigest> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    const hash = createHash('sha256').update(String(size))
    const last = Math.max(0, size - blockBytes)
    for (let i = 0; i < blocks; i++) {
      const block = new Uint8Array(Math.min(blockBytes, size))
      await readFully(handle, block, Math.round((last * i) / (blocks - 1)))
      hash.update(block)
    }
    return { name: basename(path), bytes: size, sha256: hash.digest('hex') }
  } finally {
    await handle.close()
  }
}
