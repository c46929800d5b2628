import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { resolveModel } from '../../checkpoints/node-hub.ts'
import { fileState } from '../../checkpoints/node-widen.ts'
import { findPreset } from '../../models/presets.ts'
import type { ModelFlags } from '../options.ts'

/**
 * What tells a model that has been loaded, with the settings that change its numbers, from another: its name, and size and time of the
 * files in its folder. They are not read.
 */
export async function modelIdentity(flags: ModelFlags): Promise<string> {
  const { model = '', revision, device, imageSize, imageEncoder, tokenizer } = flags
  const path = await resolveModel(model, {
    offline: true, // it was found when it was loaded
    ...(revision !== undefined && { revision }),
    repositoryOf: (name) => findPreset(name)?.repository,
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
