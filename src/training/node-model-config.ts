/** The configuration and the tokenizer of the model that a recipe trains. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { missingTokenizerFiles } from '../checkpoints/node-cache.ts'
import { errorCode, fileError } from '../checkpoints/node-errors.ts'
import { downloadTokenizer } from '../checkpoints/node-hub.ts'
import { ConfigError } from '../errors.ts'
import { isRetrievalConfig } from '../models/config.ts'
import { QFORMER_TOKENIZER } from '../tasks/node-qformer-tokenizer.ts'
import type { TextTokenizer } from '../tokenizers/tokenizer.ts'
import type { Places } from './node-places.ts'
import type { ModelConfig } from './objective.ts'
import { comparesTexts, type Recipe } from './recipe.ts'

export type ConfigJson = Readonly<Record<string, unknown>>

/** Fields of config.json: those of the recipe, or of the first of the checkpoints that has the file beside it. */
export async function readConfig(
  { model }: Recipe,
  { config }: Places,
  checkpoints: readonly string[],
): Promise<ConfigJson | undefined> {
  if (typeof model.config === 'object') return model.config
  const files =
    config === undefined
      ? await Promise.all(checkpoints.map(async (path) => join(await folderOf(path), 'config.json')))
      : [config]
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch((error) => {
      if (errorCode(error) === 'ENOENT') return undefined
      throw fileError(error, file)
    })
    if (text === undefined) continue
    try {
      return JSON.parse(text) as ConfigJson
    } catch (cause) {
      throw new ConfigError(`${file}: not JSON: ${(cause as Error).message}`, { cause })
    }
  }
  return undefined
}

/** Throws ConfigError for a configuration that the objective cannot train. */
export function requireKind(recipe: Recipe, config: ModelConfig): void {
  const { objective, model } = recipe
  if (comparesTexts(recipe) !== isRetrievalConfig(config))
    throw new ConfigError(
      comparesTexts(recipe)
        ? `model.config: qformer_config.use_qformer_text_input: expected true, as ${objective} reads texts with the Q-Former`
        : `model.config: qformer_config.use_qformer_text_input: expected false, and a text_config, as ${objective} has a language model`,
    )
  if (objective === 'language-model' && !isRetrievalConfig(config) && config.text_config.model_type !== 'opt')
    throw new ConfigError(
      'model.config: text_config.model_type: expected "opt", as nothing else is trained from nothing, found "t5"',
    )
  if (model.qformer_tokenizer !== undefined && !readsQuestions(recipe, config))
    throw new ConfigError(
      `model.qformer_tokenizer: expected nothing, as the Q-Former reads no question, found ${JSON.stringify(model.qformer_tokenizer)}; for one that does: model.config: qformer_reads_question: true`,
    )
}

/** Whether the Q-Former reads the questions too. */
export function readsQuestions({ objective }: Recipe, config: ModelConfig): boolean {
  return objective === 'stage2' && !isRetrievalConfig(config) && config.qformer_reads_question
}

/** Throws ConfigError for texts that are longer than the model, and for tokens that it does not have. */
export function requireRoom(recipe: Recipe, config: ModelConfig, { vocabSize }: TextTokenizer): void {
  const { data } = recipe
  const most = positionsFor(recipe, config)
  if (data.max_text_length > most)
    throw new ConfigError(
      `data.max_text_length: expected at most ${most}, which the model has positions for, found ${data.max_text_length}`,
    )
  // The Q-Former's tokenizer is held against its model where it is opened.
  if (!isRetrievalConfig(config) && vocabSize > config.text_config.vocab_size)
    throw new ConfigError(
      `model.tokenizer: ${vocabSize} tokens, the language model has ${config.text_config.vocab_size}; is it the tokenizer of this model?`,
    )
}

/** Tokens of a text that there are positions for. T5 counts distances, of which there is no most. */
function positionsFor(recipe: Recipe, config: ModelConfig): number {
  const { max_position_embeddings } = config.qformer_config
  if (isRetrievalConfig(config)) return max_position_embeddings
  const ofQuestions = readsQuestions(recipe, config) ? max_position_embeddings : Number.POSITIVE_INFINITY
  const { text_config, num_query_tokens } = config
  if (text_config.model_type === 't5') return ofQuestions
  const inFront = recipe.objective === 'stage2' ? num_query_tokens : 0
  return Math.min(ofQuestions, text_config.max_position_embeddings - inFront)
}

/** The folder of the tokenizer, downloaded where the recipe names one of the hub; else that beside a checkpoint. */
export async function findTokenizer({ tokenizer }: Places, checkpoints: readonly string[]): Promise<string> {
  if (tokenizer !== undefined) return (await isThere(tokenizer)) ? tokenizer : downloadTokenizer(tokenizer)
  for (const path of checkpoints) {
    const folder = await folderOf(path)
    if ((await missingTokenizerFiles(folder)).length === 0) return folder
  }
  throw new ConfigError('model.tokenizer: expected its folder or name, as no folder in model.from has one')
}

/** The same for the questions that the Q-Former reads: beside a checkpoint it is in a folder of its own. */
export async function findQformerTokenizer(
  { qformerTokenizer }: Places,
  checkpoints: readonly string[],
): Promise<string> {
  if (qformerTokenizer !== undefined)
    return (await isThere(qformerTokenizer)) ? qformerTokenizer : downloadTokenizer(qformerTokenizer)
  for (const path of checkpoints) {
    const folder = join(await folderOf(path), QFORMER_TOKENIZER)
    if ((await missingTokenizerFiles(folder)).length === 0) return folder
  }
  throw new ConfigError(
    `model.qformer_tokenizer: expected its folder or name, such as bert-base-uncased, as no folder in model.from has a ${QFORMER_TOKENIZER}`,
  )
}

async function folderOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ? path : dirname(path)
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
