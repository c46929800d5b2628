/** From a recipe to everything that a run computes with. */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { downloadTokenizer } from '../checkpoints/node-hub.ts'
import type { Weighted } from '../data/mixture.ts'
import type { Item } from '../data/node-loader.ts'
import { openSource } from '../data/node-sources.ts'
import { ConfigError } from '../errors.ts'
import { isRetrievalConfig, parseConfig } from '../models/config.ts'
import { atImageSize } from '../tasks/image-size.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import { qformerTokenizer } from '../tokenizers/qformer.ts'
import { type Feeds, pairFeeds, promptedFeeds, textFeeds } from './feeds.ts'
import { openStartingWeights, type StartingWeights } from './node-starting-weights.ts'
import { type ModelConfig, type Objective, objectiveOf } from './objective.ts'
import type { DataSpec, Recipe } from './recipe.ts'

export interface Setup {
  readonly config: ModelConfig
  /** config.json of the finished model: as it was given, but for the image size. */
  readonly finishedConfig: Readonly<Record<string, unknown>>
  readonly objective: Objective
  readonly weights: StartingWeights
  readonly tokenizerFolder: string
  readonly train: readonly Weighted[]
  readonly validation: readonly Weighted[]
  /** What the graph reads of the texts; `key` makes what is drawn for a batch its own. */
  feeds(items: readonly Item[], key: string): Feeds
}

/** `folder` is the recipe's, from which its paths start. */
export async function setUp(recipe: Recipe, folder: string, signal?: AbortSignal): Promise<Setup> {
  const at = (path: string) => (isAbsolute(path) ? path : join(folder, path))
  const sources = await Promise.all(
    recipe.model.from.map(async (source) => ((await exists(at(source))) ? at(source) : source)),
  )
  const configJson = await readConfig(recipe, sources, at)
  const parsed = parseConfig(configJson, 'model.config')
  requireKind(recipe, parsed)
  const stored = await openStartingWeights(sources, signal ? { signal } : {})
  const size = recipe.data.image_size ?? parsed.vision_config.image_size
  const { config, replaced } = await atImageSize<ModelConfig>(parsed, stored, size)

  const tokenizerFolder = await findTokenizer(recipe, sources, at)
  const tokenizer = await loadTokenizer(tokenizerFolder)
  const options = { maxTextLength: recipe.data.max_text_length, prompt: recipe.data.prompt }
  const pairs = recipe.objective === 'contrastive' || recipe.objective === 'stage1'
  const ofQformer = pairs ? qformerTokenizer(tokenizer, config.qformer_config.vocab_size) : undefined
  const root = at(recipe.data.root ?? '.')
  const open = (specs: readonly DataSpec[]) =>
    Promise.all(specs.map(async ({ weight, ...spec }) => ({ source: await openSource(spec, root), weight })))
  return {
    config,
    finishedConfig: atSize(configJson, size),
    objective: objectiveOf(recipe, config, ofQformer?.decId ?? 0),
    weights: { tensors: stored.tensors, replaced },
    tokenizerFolder,
    train: await open(recipe.data.train),
    validation: await open(recipe.data.validation),
    feeds(items, key) {
      if (ofQformer) return pairFeeds(items, ofQformer, options, { key, sharedImages: recipe.data.image_ids })
      if (isRetrievalConfig(config)) throw new Error('a model without language model has no texts to predict')
      if (recipe.objective === 'stage2') return promptedFeeds(items, tokenizer, config, options)
      if (config.text_config.model_type !== 'opt') throw new Error('language-model: OPT only')
      return textFeeds(items, tokenizer, config.text_config, options)
    },
  }
}

function atSize(config: Readonly<Record<string, unknown>>, image_size: number) {
  return { ...config, vision_config: { ...(config.vision_config as object | undefined), image_size } }
}

/** Names the recipe and what it begins with: two runs with one identity give the same model. */
export function identityOf({ output, ...recipe }: Recipe, { finishedConfig, weights }: Setup): string {
  const files = new Set(Array.from(weights.tensors.values(), ({ file }) => file))
  return createHash('sha256')
    .update(JSON.stringify([recipe, finishedConfig, [...files]]))
    .digest('hex')
}

/** Fields of config.json, from the recipe or from the first checkpoint that has them. */
async function readConfig(recipe: Recipe, sources: readonly string[], at: (path: string) => string) {
  const { config } = recipe.model
  if (typeof config === 'object') return config
  const files = config !== undefined ? [at(config)] : []
  for (const source of config === undefined ? sources : []) {
    const found = await stat(source).catch(() => undefined)
    if (found) files.push(join(found.isDirectory() ? source : dirname(source), 'config.json'))
  }
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    try {
      return JSON.parse(text) as Record<string, unknown>
    } catch (cause) {
      throw new ConfigError(`${file}: not JSON: ${(cause as Error).message}`, { cause })
    }
  }
  const looked = files.length === 0 ? 'no folder in model.from has one' : `not found: ${files.join(', ')}`
  throw new ConfigError(`model.config: expected the fields of a config.json, or its file; ${looked}`)
}

function requireKind({ objective }: Recipe, config: ModelConfig): void {
  const retrieval = objective === 'stage1' || objective === 'contrastive'
  if (retrieval === isRetrievalConfig(config)) {
    if (objective !== 'language-model' || isRetrievalConfig(config) || config.text_config.model_type === 'opt') return
    throw new ConfigError(
      'model.config: text_config.model_type: expected "opt" (only OPT is trained from nothing), found "t5"',
    )
  }
  throw new ConfigError(
    retrieval
      ? `model.config: qformer_config.use_qformer_text_input: expected true, as ${objective} reads texts with the Q-Former`
      : `model.config: qformer_config.use_qformer_text_input: expected false and a text_config, as ${objective} has a language model`,
  )
}

async function findTokenizer(
  recipe: Recipe,
  sources: readonly string[],
  at: (path: string) => string,
): Promise<string> {
  const { tokenizer } = recipe.model
  if (tokenizer !== undefined) return (await exists(at(tokenizer))) ? at(tokenizer) : downloadTokenizer(tokenizer)
  for (const source of sources) {
    const folder = (await stat(source).catch(() => undefined))?.isDirectory() ? source : dirname(source)
    for (const name of ['tokenizer.json', 'vocab.txt', 'vocab.json'])
      if (await exists(join(folder, name))) return folder
  }
  throw new ConfigError(
    'model.tokenizer: expected the folder or name of a tokenizer, as no folder in model.from has one',
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
