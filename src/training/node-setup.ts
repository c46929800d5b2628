/** From a recipe to everything that a run computes with. What can be wrong is looked at first, what takes time comes last. */
import { createHash } from 'node:crypto'
import { resolveModel } from '../checkpoints/node-hub.ts'
import type { Weighted } from '../data/mixture.ts'
import type { Item } from '../data/node-loader.ts'
import { openSource } from '../data/node-sources.ts'
import { ConfigError } from '../errors.ts'
import { type Blip2Config, type OptConfig, parseConfig } from '../models/config.ts'
import { findPreset } from '../models/presets.ts'
import { atImageSize } from '../tasks/image-size.ts'
import type { SourceOptions } from '../tasks/node-source.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import { type QformerTokenizer, qformerTokenizer } from '../tokenizers/qformer.ts'
import type { TextTokenizer } from '../tokenizers/tokenizer.ts'
import { type Feeds, pairFeeds, promptedFeeds, questionFeeds, textFeeds } from './feeds.ts'
import { checkWeights, neededWeights } from './needed-weights.ts'
import { findWeights, type StartingWeights } from './node-found-weights.ts'
import {
  type ConfigJson,
  findQformerTokenizer,
  findTokenizer,
  readConfig,
  readsQuestions,
  requireKind,
  requireRoom,
} from './node-model-config.ts'
import { findPlaces, type Places } from './node-places.ts'
import { type ModelConfig, type Objective, objectiveOf } from './objective.ts'
import { comparesTexts, type DataSpec, originsOf, type Recipe } from './recipe.ts'

export interface Setup {
  readonly config: ModelConfig
  /** config.json of the finished model: as it was given, but for the image size. */
  readonly finishedConfig: ConfigJson
  readonly objective: Objective
  readonly weights: StartingWeights
  /** Digests of their files. */
  readonly weightsDigest: readonly string[]
  readonly tokenizerFolder: string
  /** Of the questions, where the Q-Former reads them. */
  readonly questions: { readonly tokenizerFolder: string; readonly tokenizer: QformerTokenizer } | undefined
  readonly train: readonly Weighted[]
  readonly validation: readonly Weighted[]
  /** What the graph reads of the texts; `key` makes what is drawn for a batch its own. */
  feeds(items: readonly Item[], key: string): Feeds
}

export interface SetupOptions extends Pick<SourceOptions, 'signal' | 'onProgress' | 'onNotice'> {
  /** The recipe's, from which its paths start. */
  readonly folder: string
}

/** Throws ConfigError, DataError, CheckpointError, or the signal's reason. */
export async function setUp(recipe: Recipe, options: SetupOptions): Promise<Setup> {
  const places = await findPlaces(recipe, options.folder)
  const near = await readConfig(recipe, places, places.from)
  if (near) requireKind(recipe, parseConfig(near, 'model.config'))
  const train = await openAll(recipe.data.train, places)
  const validation = await openAll(recipe.data.validation, places)

  const checkpoints = await download(places.from, options)
  const configJson = near ?? (await readConfig(recipe, places, checkpoints))
  if (!configJson)
    throw new ConfigError(
      'model.config: expected the fields of a config.json, or its file, as no folder in model.from has one',
    )
  const parsed = parseConfig(configJson, 'model.config')
  requireKind(recipe, parsed)
  const tokenizerFolder = await findTokenizer(places, checkpoints)
  const tokenizer = await loadTokenizer(tokenizerFolder)
  requireRoom(recipe, parsed, tokenizer)

  const origins = originsOf(recipe)
  const found = await findWeights(checkpoints.map((path, i) => ({ path, only: origins[i]?.only })))
  const size = recipe.data.image_size ?? parsed.vision_config.image_size
  const stored = { tensors: found.tensors, replaced: new Map() }
  const { config, replaced: positions } = await atImageSize<ModelConfig>(parsed, stored, size)
  const words = comparesTexts(recipe) ? qformerTokenizer(tokenizer, config.qformer_config.vocab_size) : undefined
  const questions = readsQuestions(recipe, config)
    ? await questionTokenizer(await findQformerTokenizer(places, checkpoints), config)
    : undefined
  const objective = objectiveOf(recipe, config, words?.decId ?? 0)
  const needed = [...neededWeights(config, objective)].filter(([name]) => !positions.has(name))
  checkWeights(new Map(needed), objective, found.tensors, origins)

  const { tensors, replaced } = await found.layOut(options)
  return {
    config,
    finishedConfig: atSize(configJson, size),
    objective,
    weights: { tensors, replaced: new Map([...replaced, ...positions]) },
    weightsDigest: await found.digest(),
    tokenizerFolder,
    questions,
    train,
    validation,
    feeds: feedsOf(recipe, config, { language: tokenizer, compared: words, questions: questions?.tokenizer }),
  }
}

function openAll(specs: readonly DataSpec[], { root }: Places): Promise<Weighted[]> {
  return Promise.all(specs.map(async ({ weight, ...spec }) => ({ source: await openSource(spec, root), weight })))
}

/** One after the other, as each may be many gigabytes. What is on the disk stays where it is. */
async function download(sources: readonly string[], options: SetupOptions): Promise<string[]> {
  const { signal, onProgress, onNotice } = options
  const paths: string[] = []
  for (const source of sources)
    paths.push(
      await resolveModel(source, {
        repositoryOf: (name) => findPreset(name)?.repository,
        onProgress: (progress) => onProgress?.({ step: 'download', ...progress }),
        ...(onNotice && { onNotice }),
        ...(signal && { signal }),
      }),
    )
  return paths
}

async function questionTokenizer(tokenizerFolder: string, { qformer_config }: ModelConfig) {
  const tokenizer = qformerTokenizer(await loadTokenizer(tokenizerFolder), qformer_config.vocab_size)
  return { tokenizerFolder, tokenizer }
}

/** Of the texts of each kind that a recipe has. */
interface Tokenizers {
  readonly language: TextTokenizer
  readonly compared: QformerTokenizer | undefined
  readonly questions: QformerTokenizer | undefined
}

function feedsOf(
  { objective, data }: Recipe,
  config: ModelConfig,
  { language, compared, questions }: Tokenizers,
): Setup['feeds'] {
  const texts = { maxTextLength: data.max_text_length, prompt: data.prompt }
  return (items, key) => {
    if (compared) return pairFeeds(items, compared, texts, { key, sharedImages: data.image_ids })
    const blip2 = config as Blip2Config
    if (objective !== 'stage2') return textFeeds(items, language, blip2.text_config as OptConfig, texts)
    const asked = questions && questionFeeds(items, questions, blip2, texts)
    return { ...promptedFeeds(items, language, blip2, texts), ...asked }
  }
}

function atSize(config: ConfigJson, image_size: number): ConfigJson {
  return { ...config, vision_config: { ...(config.vision_config as object | undefined), image_size } }
}

/** Two runs of one identity make the same model: what only watches them, where things lie, and `recompute` are not part of it. */
export function identityOf(recipe: Recipe, { finishedConfig, weightsDigest }: Setup): string {
  const { output, checkpoints, log_every, validation_batches, examples, recompute, model, data, ...rest } = recipe
  const { config, from, tokenizer, qformer_tokenizer, ...training } = model
  const { root, validation, ...seen } = data
  return createHash('sha256')
    .update(JSON.stringify([rest, training, seen, finishedConfig, weightsDigest]))
    .digest('hex')
}
