/** Tar files for tests. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packTar } from 'modern-tar'
import type { Shard } from '../../src/data/node-shards.ts'

/** Names and contents, in the order of the file. */
export type Files = readonly (readonly [name: string, content: string | Uint8Array])[]

export async function writeShard(folder: string, name: string, files: Files): Promise<Shard> {
  const path = join(folder, name)
  writeFileSync(path, await tarBytes(files))
  return { path, name }
}

export function tarBytes(files: Files): Promise<Uint8Array> {
  return packTar(
    files.map(([name, content]) => {
      const body = Buffer.from(content)
      return { header: { name, size: body.length, mtime: new Date(0) }, body }
    }),
  )
}

/** `count` samples of an image (which none is) and a caption. */
export function imageParts(name: string, count: number): Files {
  return Array.from({ length: count }, (_, i) => [
    [`${name}-${i}.jpg`, `image ${i}`] as const,
    [`${name}-${i}.txt`, `caption ${i} of ${name}`] as const,
  ]).flat()
}
