import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileState } from '../../checkpoints/node-widen.ts'
import { locateModel } from '../../tasks/node-locate.ts'
import type { ModelFlags } from '../options.ts'

/**
 * What tells a model that has been loaded, with the settings that change its numbers, from another: its name, and size and time of the
 * files in its folder. They are not read.
 */
export async function modelIdentity(flags: ModelFlags): Promise<string> {
  const { model = '', revision, device, imageSize, imageEncoder, tokenizer } = flags
  const path = await locateModel(model, {
    offline: true, // it was found when it was loaded
    ...(revision !== undefined && { revision }),
  })
  const isFolder = (await stat(path)).isDirectory()
  const beside = isFolder ? path : dirname(path)
  const names = isFolder ? await readdir(path) : [path.slice(beside.length + 1)]
  const files: string[] = []
  for (const name of names.sort()) {
    const stats = await stat(join(beside, name), { bigint: true })
    if (stats.isFile()) files.push(`${name} ${fileState(stats)}`)
  }
  return JSON.stringify({ model, revision, device, imageSize, imageEncoder, tokenizer, files })
}
