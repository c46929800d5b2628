/** Digests of files, to tell runs and reports apart. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { digestBlocks, type FileDigest } from '../checkpoints/node-digest.ts'
import { openSource, type SourceOptions } from '../tasks/node-source.ts'

export type { FileDigest }

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
