/** What `inspect` was pointed at: files of a checkpoint, a configuration alone, or a published name. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCheckpoint } from '../../checkpoints/node.ts'
import type { Checkpoint } from '../../checkpoints/safetensors.ts'
import { CheckpointError, ConfigError } from '../../errors.ts'
import { type Blip2Config, parseConfig, type RetrievalConfig } from '../../models/config.ts'
import { inferConfig, shapesOf } from '../../models/names/infer-config.ts'
import { recogniseNames } from '../../models/names/names.ts'
import { findPreset, type Preset } from '../../models/presets.ts'
import { builtInFolder } from '../../tasks/node-locate.ts'

export type Config = Blip2Config | RetrievalConfig

export type Subject =
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint; readonly config: FoundConfig | undefined }
  | { readonly kind: 'configuration'; readonly config: Config }
  | { readonly kind: 'preset'; readonly preset: Preset }

/** The config.json beside a checkpoint, or what its shapes tell (no `path`); or why it is none of BLIP-2. */
export type FoundConfig = { readonly path: string | undefined } & (
  | { readonly config: Config; readonly problem?: never }
  | { readonly config?: never; readonly problem: string }
)

/** A built-in model comes before a path, a path before a published name, as in loading. Throws CheckpointError or ConfigError. */
export async function findSubject(name: string): Promise<Subject> {
  const source = builtInFolder(name) ?? name
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
    if (!isIndex(json)) return { kind: 'configuration', config: parseConfig(json, source) }
  }
  const checkpoint = await openCheckpoint(source)
  // One shard has some of the tensors; the folder has all.
  const config = isShard(source)
    ? undefined
    : ((await configBeside(found.isDirectory() ? source : dirname(source))) ?? configInside(source, checkpoint))
  return { kind: 'checkpoint', checkpoint, config }
}

async function configBeside(folder: string): Promise<FoundConfig | undefined> {
  const path = join(folder, 'config.json')
  if (!(await stat(path).catch(() => undefined))) return undefined
  const json = await readJson(path).catch((error: CheckpointError) => error)
  return attempt(path, () => {
    if (json instanceof CheckpointError) throw json
    return parseConfig(json, path)
  })
}

/** LAVIS and mmpretrain have no config.json. */
function configInside(source: string, { tensors }: Checkpoint): FoundConfig | undefined {
  const recognised = recogniseNames([...tensors.keys()])
  if (!recognised?.tensors.has('query_tokens') || recognised.naming === 'huggingface') return undefined
  return attempt(undefined, () => parseConfig(inferConfig(shapesOf(tensors, recognised.tensors), {}, source), source))
}

function attempt(path: string | undefined, read: () => Config): FoundConfig {
  try {
    return { path, config: read() }
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
