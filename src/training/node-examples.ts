/** What the model says of validation pictures as it is now, for the report. */
import { pictureUrl } from '../images/node-picture.ts'
import { denormalised } from '../images/preprocess.ts'
import type { Blip2Config } from '../models/config.ts'
import type { Variables } from '../runtime/device.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import { createEngine } from '../tasks/engine.ts'
import { questionPrompt } from '../tasks/prompts.ts'
import { createSessions } from '../tasks/sessions.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import type { Example } from './log.ts'
import type { ValidationBatch } from './node-batches.ts'
import type { SavedRun } from './node-checkpoints.ts'
import type { Graphs } from './node-graphs.ts'
import type { Setup } from './node-setup.ts'
import { comparesTexts, type Recipe } from './recipe.ts'

export interface ExamplesOptions extends Pick<DeviceOptions, 'threads'> {
  readonly recipe: Recipe
  readonly setup: Setup
  readonly graphs: Graphs
  readonly variables: Variables
}

/**
 * Of the first pictures of a batch: captions, or answers where the sample has a question; where texts are compared with images, the text
 * of the batch that is nearest to each picture. None for a language model alone.
 */
export async function examplesOf(
  options: ExamplesOptions,
  saved: SavedRun,
  batch: ValidationBatch,
): Promise<Example[]> {
  const { recipe } = options
  const count = Math.min(recipe.examples, batch.items.length)
  if (count === 0 || recipe.objective === 'language-model') return []
  const said = comparesTexts(recipe)
    ? await nearestTexts(options, batch)
    : await generated(options, saved, batch, count)
  const size = options.setup.config.vision_config.image_size
  const shown = said.slice(0, count).map(async (words, i): Promise<Example> => {
    const { sample, text } = batch.items[i] as ValidationBatch['items'][number]
    const picture = await pictureUrl(denormalised(batch.pixels.subarray(i * 3 * size * size), size))
    return { picture, said: sample.question === undefined ? words : `${sample.question} ${words}`, reference: text }
  })
  return Promise.all(shown)
}

async function nearestTexts(
  { graphs, variables }: ExamplesOptions,
  { items, feeds }: ValidationBatch,
): Promise<string[]> {
  const similarity = await graphs.compare(feeds, variables)
  if (!similarity) return []
  return items.map((_, i) => {
    const row = similarity.subarray(i * items.length, (i + 1) * items.length)
    return items[row.indexOf(Math.max(...row))]?.text ?? ''
  })
}

async function generated(
  { recipe, setup, graphs, threads }: ExamplesOptions,
  saved: SavedRun,
  batch: ValidationBatch,
  count: number,
): Promise<string[]> {
  const config = setup.config as Blip2Config
  const { weights } = setup
  const frozen = [...graphs.frozen.keys()].flatMap((name) => {
    const tensor = weights.tensors.get(name)
    return tensor ? [[name, tensor] as const] : []
  })
  const tensors = new Map([...frozen, ...saved.weights.tensors])
  const replaced = new Map([...weights.replaced].filter(([name]) => !saved.weights.tensors.has(name)))
  const tokenizer = await loadTokenizer(setup.tokenizerFolder)
  // A device of its own, whose sessions go with it.
  const device = await openDevice(threads === undefined ? {} : { threads })
  const engine = createEngine(createSessions(device, config, tensors, replaced))
  try {
    const size = config.vision_config.image_size
    const images = await engine.encode(batch.pixels.subarray(0, count * 3 * size * size), count)
    const said: string[] = []
    for (const [i, image] of images.entries()) {
      const { question } = (batch.items[i] as ValidationBatch['items'][number]).sample
      const prompt = question === undefined ? recipe.data.prompt : questionPrompt(config, question)
      const [sequences] = await engine.generate([{ image, prompt: tokenizer.encode(prompt) }], { maxNewTokens: 30 })
      said.push(tokenizer.decode(sequences?.[0]?.tokens ?? [], { skipSpecialTokens: true }).trim())
    }
    return said
  } finally {
    await engine.dispose()
  }
}
