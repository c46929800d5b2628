/** The built-in models as `blip2 models` lists them, from their files. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuiltInModel, builtInLicence } from '../models/built-in.ts'
import { type Blip2Config, parseConfig, type RetrievalConfig } from '../models/config.ts'
import { builtInFolder } from '../tasks/node-locate.ts'
import { commandsOf } from './preset.ts'

export interface BuiltInFiles {
  readonly config: Blip2Config | RetrievalConfig
  /** Of all of them. */
  readonly bytes: number
}

export async function readBuiltIn({ name }: BuiltInModel): Promise<BuiltInFiles> {
  const folder = builtInFolder(name) as string
  const file = join(folder, 'config.json')
  const sizes = await Promise.all((await readdir(folder)).map(async (one) => (await stat(join(folder, one))).size))
  return {
    config: parseConfig(JSON.parse(await readFile(file, 'utf8')), file),
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  }
}

/** As a published model, of which nothing is downloaded. */
export function builtInObject({ name, kind }: BuiltInModel, { config, bytes }: BuiltInFiles): object {
  return {
    name,
    kind,
    commands: commandsOf[kind],
    aliases: [],
    repository: null,
    download_bytes: 0,
    bytes,
    image_size: config.vision_config.image_size,
    licence: { weights: builtInLicence, language_model: kind === 'generation' ? builtInLicence : 'none' },
  }
}
