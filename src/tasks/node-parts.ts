/** The checkpoints that a model is made of: the one that was named, and others for the parts it lacks. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { openCheckpoint } from '../checkpoints/node.ts'
import { missingTokenizerFiles } from '../checkpoints/node-cache.ts'
import { type DownloadOptions, downloadTokenizer } from '../checkpoints/node-hub.ts'
import type { Checkpoint } from '../checkpoints/safetensors.ts'
import { CheckpointError, ConfigError } from '../errors.ts'
import { isRetrievalConfig, parseConfig } from '../models/config.ts'
import { inferConfig, type KnownConfig, shapesOf } from '../models/names/infer-config.ts'
import { canonicalNames, type Origin, partOf, type Recognised } from '../models/names/names.ts'
import { hasPart } from '../models/names/parts.ts'
import { imageEncoderNames, languageModelNames } from '../models/names/supplements.ts'
import { findPreset } from '../models/presets.ts'
import { builtInFolder, locateModel } from './node-locate.ts'

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

/** A checkpoint where it was found, and what is used of it. */
export interface Part {
  /** The name that was asked for. */
  readonly source: string
  readonly folder: string
  readonly checkpoint: Checkpoint
  /** The config.json beside it, or undefined. */
  readonly config: unknown
  /** Canonical name → what it is made of. */
  readonly tensors: ReadonlyMap<string, Origin>
}

/** The named checkpoint, and what a model of its kind is made of besides. */
export interface MainPart extends Part {
  readonly recognised: Recognised
  readonly lacks: readonly ('image encoder' | 'language model')[]
}

export interface Parts {
  readonly main: MainPart
  readonly imageEncoder: Part | undefined
  readonly languageModel: Part | undefined
}

/** Finds a checkpoint of any naming and reads its table. Throws CheckpointError or ConfigError. */
export async function openMain(source: string, options: SourceOptions): Promise<MainPart> {
  const opened = await open(source, options)
  const recognised = canonicalNames([...opened.checkpoint.tensors.keys()], source)
  const { tensors } = recognised
  const retrieval =
    opened.config === undefined
      ? tensors.has('itm_head.weight') && !tensors.has('language_projection.weight')
      : isRetrievalConfig(parseConfig(opened.config, join(opened.folder, 'config.json')))
  const parts = retrieval ? (['image encoder'] as const) : (['image encoder', 'language model'] as const)
  const lacks = parts.filter((part) => !hasPart(tensors.keys(), part))
  // The second name of a tied tensor, such as OPT's head, is no language model.
  const kept = [...tensors].filter(([name]) => !lacks.some((part) => part === partOf(name)))
  return { ...opened, recognised, lacks, tensors: new Map(kept) }
}

/** Opens what the options name for the parts that are lacking. Throws ConfigError for one that is not. */
export async function addParts(main: MainPart, options: SourceOptions): Promise<Parts> {
  const { imageEncoder, languageModel, revision, ...others } = options
  if (imageEncoder !== undefined && !main.lacks.includes('image encoder'))
    throw notNeeded('--image-encoder (imageEncoder)', main.source)
  if (languageModel !== undefined && !main.lacks.includes('language model'))
    throw notNeeded('--language-model (languageModel)', main.source)
  return {
    main,
    imageEncoder: imageEncoder === undefined ? undefined : await openPart(imageEncoder, imageEncoderNames),
    languageModel: languageModel === undefined ? undefined : await openPart(languageModel, languageModelNames),
  }

  /** What the model has itself comes first: the norm behind the encoder. */
  async function openPart(source: string, find: typeof languageModelNames): Promise<Part> {
    const opened = await open(source, others)
    const found = find([...opened.checkpoint.tensors.keys()], source)
    return { ...opened, tensors: new Map([...found].filter(([name]) => !main.tensors.has(name))) }
  }
}

function notNeeded(option: string, source: string): ConfigError {
  return new ConfigError(`${option}: ${source} needs none, leave it out`)
}

/** All of them, in the order in which an image passes them. */
export function partList({ main, imageEncoder, languageModel }: Parts): Part[] {
  return [imageEncoder, main, languageModel].filter((part) => part !== undefined)
}

/**
 * The configuration as JSON, and what to call it in errors: config.json, which has the last word, or what the shapes tell.
 * @throws ConfigError for what they do not tell.
 */
export function configJson(parts: Parts): { readonly json: unknown; readonly where: string } {
  const { main, imageEncoder, languageModel } = parts
  if (main.config !== undefined) return { json: main.config, where: join(main.folder, 'config.json') }
  const shapes = new Map(partList(parts).flatMap((part) => [...shapesOf(part.checkpoint.tensors, part.tensors)]))
  const t5 = main.recognised.traits.has('t5')
  if (languageModel && shapes.has('language_model.encoder.final_layer_norm.weight') !== t5)
    throw new ConfigError(
      `${languageModel.source}: ${main.source} was trained with another kind of language model, ${t5 ? 'Flan-T5' : 'OPT'}`,
    )
  const known: KnownConfig = {
    visionHeads: isRecord(imageEncoder?.config)
      ? parseConfig(imageEncoder.config, join(imageEncoder.folder, 'config.json')).vision_config.num_attention_heads
      : undefined,
    textConfig: textConfigOf(languageModel?.config),
  }
  return { json: inferConfig(shapes, known, main.source), where: main.source }
}

/** That of a language model alone, or of the one inside a BLIP-2. */
function textConfigOf(config: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(config)) return undefined
  return isRecord(config.text_config) ? config.text_config : config
}

async function open(source: string, options: SourceOptions): Promise<Omit<Part, 'tensors'>> {
  options.signal?.throwIfAborted()
  const path = await locateModel(source, downloadOptions(options))
  const folder = (await stat(path)).isDirectory() ? path : dirname(path)
  return { source, folder, config: await readJson(join(folder, 'config.json')), checkpoint: await openCheckpoint(path) }
}

/** The folder of the tokenizer: as the option says, else beside the checkpoint, else beside the language model. */
export async function tokenizerFolder({ main, languageModel }: Parts, options: SourceOptions): Promise<string> {
  const { tokenizer, revision, ...others } = options
  if (tokenizer !== undefined) {
    const builtIn = builtInFolder(tokenizer)
    if (builtIn !== undefined) return builtIn
    const found = await stat(tokenizer).catch(() => undefined)
    if (found) return found.isDirectory() ? tokenizer : dirname(tokenizer)
    return downloadTokenizer(findPreset(tokenizer)?.repository ?? tokenizer, downloadOptions(others))
  }
  for (const { folder } of [main, ...(languageModel ? [languageModel] : [])])
    if ((await missingTokenizerFiles(folder)).length === 0) return folder
  return main.folder
}

function downloadOptions(options: SourceOptions): DownloadOptions {
  const { revision, token, offline, endpoint, signal, onProgress, onNotice } = options
  return {
    ...(revision !== undefined && { revision }),
    ...(token !== undefined && { token }),
    ...(offline !== undefined && { offline }),
    ...(endpoint !== undefined && { endpoint }),
    ...(signal && { signal }),
    ...(onNotice && { onNotice }),
    onProgress: ({ loadedBytes, totalBytes }) => onProgress?.({ step: 'download', loadedBytes, totalBytes }),
  }
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
