/** From a name, folder or file of any naming, and others for the parts it lacks, to what a model is built of. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCheckpoint, readTensor } from '../checkpoints/node.ts'
import { defaultCacheDir, float32Checkpoint } from '../checkpoints/node-float32.ts'
import { type DownloadOptions, resolveModel } from '../checkpoints/node-hub.ts'
import type { Checkpoint, StoredTensor } from '../checkpoints/safetensors.ts'
import { CheckpointError, ConfigError } from '../errors.ts'
import { type Blip2Config, isRetrievalConfig, parseConfig, type RetrievalConfig } from '../models/config.ts'
import { inferConfig, type KnownConfig, shapesOf } from '../models/names/infer-config.ts'
import { canonicalNames, type Origin, partOf, type Recognised } from '../models/names/names.ts'
import { hasPart, takes } from '../models/names/parts.ts'
import { imageEncoderNames, languageModelNames } from '../models/names/supplements.ts'
import { findPreset, type Preset } from '../models/presets.ts'

/** A long step of loading: bytes done and in all. */
export interface LoadProgress {
  readonly step: 'download' | 'widen'
  readonly loadedBytes: number
  readonly totalBytes: number
}

export interface SourceOptions extends Pick<DownloadOptions, 'revision' | 'token' | 'offline' | 'endpoint'> {
  /**
   * Where the language model is, if the checkpoint has none (those that LAVIS and mmpretrain save): a name, folder or file of its
   * publisher's (facebook/opt-2.7b, google/flan-t5-xl) or of a BLIP-2 that has one.
   */
  readonly languageModel?: string
  /** Where the image encoder is, if the checkpoint has none (those that LAVIS trains): a BLIP-2 that has one, or the encoder alone. */
  readonly imageEncoder?: string
  /** Name or folder of the tokenizer. Default: beside the checkpoint, else beside the language model. */
  readonly tokenizer?: string
  /** Where half precision weights are widened to, once. Default `BLIP2_CACHE`, else the system's cache folder. */
  readonly cacheDir?: string
  readonly onProgress?: (progress: LoadProgress) => void
  /** Told what a user should know: slow memory, an outdated snapshot. */
  readonly onNotice?: (text: string) => void
  readonly signal?: AbortSignal
}

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
  const main = await open(source, options)
  const recognised = canonicalNames([...main.checkpoint.tensors.keys()], source)
  const supplies = await addParts({ ...main, tensors: recognised.tensors }, recognised, options)
  const config = configOf(supplies, recognised)

  const tensors = new Map<string, StoredTensor>()
  const replaced = new Map<string, Float32Array>()
  const files: Checkpoint['files'][number][] = []
  for (const supply of [supplies.main, supplies.imageEncoder, supplies.languageModel]) {
    if (!supply) continue
    const wanted = [...supply.tensors].filter(([name]) => takes(config, name))
    files.push(...(await layOut(supply.checkpoint, wanted, { tensors, replaced }, options)))
  }
  return {
    name: source,
    preset: findPreset(source),
    config,
    tensors,
    replaced,
    files,
    tokenizerFolder: await tokenizerFolder(supplies, options),
  }
}

/** A checkpoint where it was found. */
interface Opened {
  readonly source: string
  readonly folder: string
  readonly checkpoint: Checkpoint
  /** The config.json beside it, or undefined. */
  readonly config: unknown
}

/** The tensors that are used of it. */
interface Supply extends Opened {
  readonly tensors: ReadonlyMap<string, Origin>
}

interface Supplies {
  readonly main: Supply
  readonly imageEncoder: Supply | undefined
  readonly languageModel: Supply | undefined
}

async function open(source: string, options: SourceOptions): Promise<Opened> {
  const path = await resolve(source, options)
  const folder = (await stat(path)).isDirectory() ? path : dirname(path)
  return { source, folder, config: await readJson(join(folder, 'config.json')), checkpoint: await openCheckpoint(path) }
}

async function addParts(main: Supply, { naming, traits }: Recognised, options: SourceOptions): Promise<Supplies> {
  const { source } = main
  if (main.config === undefined && naming === 'huggingface')
    throw new CheckpointError(
      `${join(main.folder, 'config.json')}: cannot be read; a model folder has config.json, tokenizer.json and *.safetensors`,
    )
  if (!main.tensors.has('query_tokens'))
    throw new CheckpointError(`${source}: no query_tokens in it, so it is a part of a BLIP-2 model at most`)
  const retrieval =
    main.config === undefined
      ? main.tensors.has('itm_head.weight') && !main.tensors.has('language_projection.weight')
      : isRetrievalConfig(parseConfig(main.config, join(main.folder, 'config.json')))

  const encoderThere = hasPart(main.tensors.keys(), 'image encoder')
  const languageThere = retrieval || hasPart(main.tensors.keys(), 'language model')
  const { imageEncoder, languageModel, revision, ...others } = options
  if (encoderThere && imageEncoder !== undefined) throw notNeeded('--image-encoder (imageEncoder)', source)
  if (languageThere && languageModel !== undefined) throw notNeeded('--language-model (languageModel)', source)
  const published = traits.has('t5') ? 'google/flan-t5-xl' : 'facebook/opt-2.7b'
  if (!encoderThere && imageEncoder === undefined)
    throw lacking(source, 'image encoder', '--image-encoder Salesforce/blip2-opt-2.7b (imageEncoder)')
  if (!languageThere && languageModel === undefined)
    throw lacking(source, 'language model', `--language-model ${published} (languageModel)`)

  const kept = new Map([...main.tensors].filter(([name]) => languageThere || partOf(name) !== 'language model'))
  return {
    main: { ...main, tensors: kept },
    imageEncoder: encoderThere ? undefined : await openPart(imageEncoder as string, imageEncoderNames),
    languageModel: languageThere ? undefined : await openPart(languageModel as string, languageModelNames),
  }

  /** What the model has itself comes first: the norm behind the encoder. */
  async function openPart(from: string, find: typeof languageModelNames): Promise<Supply> {
    const opened = await open(from, others)
    const found = [...find([...opened.checkpoint.tensors.keys()], from)].filter(([name]) => !kept.has(name))
    return { ...opened, tensors: new Map(found) }
  }
}

function lacking(source: string, part: string, option: string): CheckpointError {
  return new CheckpointError(`${source}: the ${part} is not in this checkpoint; say where it is: ${option}`)
}

function notNeeded(option: string, source: string): ConfigError {
  return new ConfigError(`${option}: ${source} needs none, leave it out`)
}

/** config.json has the last word. */
function configOf({ main, imageEncoder, languageModel }: Supplies, { traits }: Recognised): ModelSource['config'] {
  if (main.config !== undefined) return parseConfig(main.config, join(main.folder, 'config.json'))
  const shapes = new Map(
    [main, imageEncoder, languageModel].flatMap((supply) =>
      supply ? [...shapesOf(supply.checkpoint.tensors, supply.tensors)] : [],
    ),
  )
  if (languageModel && shapes.has('language_model.encoder.final_layer_norm.weight') !== traits.has('t5'))
    throw new ConfigError(
      `${languageModel.source}: ${main.source} was trained with another kind of language model, ${traits.has('t5') ? 'Flan-T5' : 'OPT'}`,
    )
  const known: KnownConfig = {
    visionHeads: isRecord(imageEncoder?.config)
      ? parseConfig(imageEncoder.config, join(imageEncoder.folder, 'config.json')).vision_config.num_attention_heads
      : undefined,
    textConfig: textConfigOf(languageModel?.config),
  }
  return parseConfig(inferConfig(shapes, known, main.source), main.source)
}

/** That of a language model alone, or of the one inside a BLIP-2. */
function textConfigOf(config: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(config)) return undefined
  return isRecord(config.text_config) ? config.text_config : config
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

/** Any of these makes a folder one with a tokenizer. */
const tokenizerFiles = ['tokenizer.json', 'vocab.json', 'vocab.txt', 'spiece.model']

async function tokenizerFolder({ main, languageModel }: Supplies, options: SourceOptions): Promise<string> {
  if (options.tokenizer !== undefined) {
    const { revision, ...others } = options
    return resolve(options.tokenizer, others)
  }
  for (const { folder } of [main, ...(languageModel ? [languageModel] : [])])
    for (const name of tokenizerFiles) if (await exists(join(folder, name))) return folder
  return main.folder
}

function resolve(source: string, options: SourceOptions): Promise<string> {
  const { revision, token, offline, endpoint, signal, onProgress, onNotice } = options
  signal?.throwIfAborted()
  return resolveModel(source, {
    ...(revision !== undefined && { revision }),
    ...(token !== undefined && { token }),
    ...(offline !== undefined && { offline }),
    ...(endpoint !== undefined && { endpoint }),
    ...(signal && { signal }),
    ...(onNotice && { onNotice }),
    onProgress: ({ loadedBytes, totalBytes }) => onProgress?.({ step: 'download', loadedBytes, totalBytes }),
    repositoryOf: (name) => findPreset(name)?.repository,
  })
}

/** The parsed file, or undefined if there is none. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    const found =
      cause instanceof SyntaxError ? `not JSON: ${cause.message}` : `cannot be read: ${(cause as Error).message}`
    throw new CheckpointError(`${file}: ${found}`, { cause })
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
