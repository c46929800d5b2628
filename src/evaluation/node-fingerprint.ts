/** Digests of files, to tell runs and reports apart. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { readFully } from '../checkpoints/node-read.ts'
import { openSource, type SourceOptions } from '../tasks/node-source.ts'

export interface FileDigest {
  /** Without its folder. */
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

/** Of all of a file. */
export async function digestFile(path: string): Promise<FileDigest> {
  const hash = createHash('sha256')
  let bytes = 0
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      bytes += chunk.length
    }
  })
  return { name: basename(path), bytes, sha256: hash.digest('hex') }
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

/** Everything that a loaded model's answers depend on: its configuration, weights (by blocks) and tokenizer. No request is made. */
export async function digestModel(source: string, options: SourceOptions): Promise<FileDigest[]> {
  const { config, files, tokenizerFolder } = await openSource(source, { ...options, offline: true })
  const text = JSON.stringify(config)
  const names = (await readdir(tokenizerFolder)).filter((name) => tokenizerFile.test(name)).sort()
  return [
    { name: 'config', bytes: text.length, sha256: createHash('sha256').update(text).digest('hex') },
    ...(await Promise.all(files.map(({ path }) => digestBlocks(path)))),
    ...(await Promise.all(names.map((name) => digestFile(join(tokenizerFolder, name))))),
  ]
}

const tokenizerFile = /^(tokenizer\.json|tokenizer_config\.json|vocab\.json|vocab\.txt|merges\.txt|spiece\.model)$/
