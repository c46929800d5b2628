/** What `inspect` was pointed at: files of a checkpoint, a configuration alone, or a published name. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCheckpoint } from '../../checkpoints/node.ts'
import type { Checkpoint } from '../../checkpoints/safetensors.ts'
import { CheckpointError, ConfigError } from '../../errors.ts'
import { type Blip2Config, parseBlip2Config } from '../../models/config.ts'
import { findPreset, type Preset } from '../../models/presets.ts'

export type Subject =
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint; readonly config: ConfigFile | undefined }
  | { readonly kind: 'configuration'; readonly config: Blip2Config }
  | { readonly kind: 'preset'; readonly preset: Preset }

/** The config.json beside a checkpoint, or why it is not one of BLIP-2. */
export type ConfigFile = { readonly path: string } & (
  | { readonly config: Blip2Config; readonly problem?: never }
  | { readonly config?: never; readonly problem: string }
)

/** A path comes before a name, as in loading. Throws CheckpointError or ConfigError. */
export async function findSubject(source: string): Promise<Subject> {
  const found = await stat(source).catch(() => undefined)
  if (!found) {
    const preset = findPreset(source)
    if (preset) return { kind: 'preset', preset }
    throw new CheckpointError(
      `${source}: no such file or folder, and no published name (\`blip2 models\` lists them); nothing is downloaded to be inspected`,
    )
  }
  if (found.isFile() && source.endsWith('.json')) {
    const json = await readJson(source)
    if (!isIndex(json)) return { kind: 'configuration', config: parseBlip2Config(json, source) }
  }
  const checkpoint = await openCheckpoint(source)
  // One shard has some of the tensors; the folder has all.
  const config = isShard(source) ? undefined : await configBeside(found.isDirectory() ? source : dirname(source))
  return { kind: 'checkpoint', checkpoint, config }
}

async function configBeside(folder: string): Promise<ConfigFile | undefined> {
  const path = join(folder, 'config.json')
  if (!(await stat(path).catch(() => undefined))) return undefined
  try {
    return { path, config: parseBlip2Config(await readJson(path), path) }
  } catch (error) {
    if (error instanceof ConfigError || error instanceof CheckpointError) return { path, problem: error.message }
    throw error
  }
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CheckpointError(`${path}: not JSON: ${(cause as Error).message}`, { cause })
  }
}

function isShard(path: string): boolean {
  return /-\d+-of-\d+\.(safetensors|bin)$/.test(path)
}

function isIndex(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'weight_map' in json
}
