/** From a name, folder or file of any naming, and others for the parts it lacks, to what a model is built of. */
import { join } from 'node:path'
import { readTensor } from '../checkpoints/node.ts'
import { defaultCacheDir, float32Checkpoint } from '../checkpoints/node-float32.ts'
import type { Checkpoint, StoredTensor } from '../checkpoints/safetensors.ts'
import { CheckpointError } from '../errors.ts'
import { type Blip2Config, parseConfig, type RetrievalConfig } from '../models/config.ts'
import type { Origin } from '../models/names/names.ts'
import { takes } from '../models/names/parts.ts'
import { findPreset, type Preset } from '../models/presets.ts'
import {
  addParts,
  configJson,
  type MainPart,
  openMain,
  partList,
  type SourceOptions,
  tokenizerFolder,
} from './node-parts.ts'

export type { LoadProgress, SourceOptions } from './node-parts.ts'

export interface ModelSource {
  /** The name that was asked for. */
  readonly name: string
  /** The published model of that name. */
  readonly preset: Preset | undefined
  /** From config.json where there is one, else from the shapes of the tensors. */
  readonly config: Blip2Config | RetrievalConfig
  /** Canonical name → where its values lie, as float32: what a model of this configuration takes. No byte of them has been read. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Canonical name → values that are in no file: attention biases of the image encoder, joined from two (LAVIS, mmpretrain). */
  readonly replaced: ReadonlyMap<string, Float32Array>
  /** The files that `tensors` lie in. */
  readonly files: Checkpoint['files']
  /** That of the named checkpoint. */
  readonly folder: string
  /** For `loadTokenizer`. */
  readonly tokenizerFolder: string
}

/**
 * Finds everything that a model needs and reads its tables: a published name (downloaded into the cache shared with Python), a folder, or
 * a file, in the naming of Hugging Face, LAVIS or mmpretrain, recognised by content. Weights are not read, but half precision ones are
 * widened once.
 * @throws CheckpointError, ConfigError, or the signal's reason.
 */
export async function openSource(source: string, options: SourceOptions = {}): Promise<ModelSource> {
  const main = await openMain(source, options)
  requireAll(main, options)
  const parts = await addParts(main, options)
  const { json, where } = configJson(parts)
  const config = parseConfig(json, where)

  const tensors = new Map<string, StoredTensor>()
  const replaced = new Map<string, Float32Array>()
  const files: Checkpoint['files'][number][] = []
  for (const part of partList(parts)) {
    const wanted = [...part.tensors].filter(([name]) => takes(config, name))
    files.push(...(await layOut(part.checkpoint, wanted, { tensors, replaced }, options)))
  }
  return {
    name: source,
    preset: findPreset(source),
    config,
    tensors,
    replaced,
    files,
    folder: main.folder,
    tokenizerFolder: await tokenizerFolder(parts, options),
  }
}

/** Throws what the checkpoint lacks and nothing is named for, with the option that names it. */
function requireAll({ source, folder, config, tensors, lacks, recognised }: MainPart, options: SourceOptions): void {
  if (config === undefined && recognised.naming === 'huggingface')
    throw new CheckpointError(
      `${join(folder, 'config.json')}: cannot be read; a model folder has config.json, tokenizer.json and *.safetensors`,
    )
  if (!tensors.has('query_tokens'))
    throw new CheckpointError(`${source}: no query_tokens in it, so it is a part of a BLIP-2 model at most`)
  const lacking = (part: string, option: string) =>
    new CheckpointError(`${source}: the ${part} is not in this checkpoint; say where it is: ${option}`)
  if (lacks.includes('image encoder') && options.imageEncoder === undefined)
    throw lacking('image encoder', '--image-encoder Salesforce/blip2-itm-vit-g (imageEncoder)')
  const published = recognised.traits.has('t5') ? 'google/flan-t5-xl' : 'facebook/opt-2.7b'
  if (lacks.includes('language model') && options.languageModel === undefined)
    throw lacking('language model', `--language-model ${published} (languageModel)`)
}

/** Adds the tensors under their canonical names, in the order of the file, and returns the files they lie in. */
export async function layOut(
  checkpoint: Checkpoint,
  wanted: readonly (readonly [string, Origin])[],
  into: { readonly tensors: Map<string, StoredTensor>; readonly replaced: Map<string, Float32Array> },
  { cacheDir, onProgress, signal }: SourceOptions,
): Promise<Checkpoint['files']> {
  const stored = new Map<string, StoredTensor>()
  for (const [canonical, origin] of wanted) {
    if (origin.kind === 'stored') stored.set(origin.name, find(checkpoint, origin.name))
    else into.replaced.set(canonical, await joinBias(find(checkpoint, origin.q), find(checkpoint, origin.v)))
  }
  const { tensors, files } = await float32Checkpoint(
    { ...checkpoint, tensors: stored },
    {
      cacheDir: cacheDir ?? defaultCacheDir(process.env),
      onProgress: (progress) => onProgress?.({ step: 'widen', ...progress }),
      ...(signal && { signal }),
    },
  )
  for (const [canonical, origin] of wanted)
    if (origin.kind === 'stored') into.tensors.set(canonical, { ...find({ tensors }, origin.name), name: canonical })
  const used = new Set(Array.from(tensors.values(), ({ file }) => file))
  return files.filter(({ path }) => used.has(path))
}

/** [q, 0, v]: keys have no bias. */
async function joinBias(q: StoredTensor, v: StoredTensor): Promise<Float32Array> {
  const [queries, values] = [await readTensor(q), await readTensor(v)]
  if (!(queries instanceof Float32Array && values instanceof Float32Array && queries.length === values.length))
    throw new CheckpointError(
      `${q.name}, ${v.name}: expected two biases of one size in F32, F16 or BF16, found ${q.dtype} (${q.shape}) and ${v.dtype} (${v.shape})`,
    )
  const joined = new Float32Array(3 * queries.length)
  joined.set(queries)
  joined.set(values, 2 * queries.length)
  return joined
}

function find({ tensors }: Pick<Checkpoint, 'tensors'>, name: string): StoredTensor {
  return tensors.get(name) as StoredTensor
}
