/** What the model says of validation pictures as it is now, for the report. */
import { pictureUrl } from '../images/node-picture.ts'
import { denormalised } from '../images/preprocess.ts'
import type { Blip2Config } from '../models/config.ts'
import type { Variables } from '../runtime/device.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import { createEngine } from '../tasks/engine.ts'
import type { GenerationImage } from '../tasks/image.ts'
import { questionPrompt } from '../tasks/prompts.ts'
import { createSessions } from '../tasks/sessions.ts'
import { questionText } from '../tokenizers/lavis-text.ts'
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

/** What the model says of the pictures of a batch. */
interface Speaker {
  /** Of the first `count` of them. */
  say(batch: ValidationBatch, count: number): Promise<readonly string[]>
  close(): Promise<void>
}

/**
 * Of the first validation pictures: captions, or answers where the sample has a question; where texts are compared with images, the text
 * of the batch that is nearest to each picture. None for a language model alone.
 */
export async function examplesOf(
  options: ExamplesOptions,
  saved: SavedRun,
  batches: readonly ValidationBatch[],
): Promise<Example[]> {
  const { recipe, setup } = options
  if (recipe.examples === 0 || recipe.objective === 'language-model') return []
  const speaker = comparesTexts(recipe) ? nearestText(options) : await languageModel(options, saved)
  try {
    const examples: Example[] = []
    for (const batch of batches) {
      const count = Math.min(recipe.examples - examples.length, batch.items.length)
      if (count === 0) break
      const said = await speaker.say(batch, count)
      const size = setup.config.vision_config.image_size
      for (const [i, words] of said.entries()) {
        const { sample, text } = batch.items[i] as ValidationBatch['items'][number]
        const { question } = sample
        const picture = await pictureUrl(denormalised(batch.pixels.subarray(i * 3 * size * size), size))
        examples.push({ picture, ...(question !== undefined && { question }), said: words, reference: text })
      }
    }
    return examples
  } finally {
    await speaker.close()
  }
}

function nearestText({ graphs, variables }: ExamplesOptions): Speaker {
  return {
    async say({ items, feeds }, count) {
      const similarity = await graphs.compare(feeds, variables)
      if (!similarity) return []
      return items.slice(0, count).map((_, i) => {
        const row = similarity.subarray(i * items.length, (i + 1) * items.length)
        return items[row.indexOf(Math.max(...row))]?.text ?? ''
      })
    },
    close: async () => {},
  }
}

/** The whole model of a saved state, on a device of its own. */
async function languageModel({ recipe, setup, graphs, threads }: ExamplesOptions, saved: SavedRun): Promise<Speaker> {
  const config = setup.config as Blip2Config
  const { weights } = setup
  const frozen = [...graphs.frozen.keys()].flatMap((name) => {
    const tensor = weights.tensors.get(name)
    return tensor ? [[name, tensor] as const] : []
  })
  const tensors = new Map([...frozen, ...saved.weights.tensors])
  const replaced = new Map([...weights.replaced].filter(([name]) => !saved.weights.tensors.has(name)))
  const tokenizer = await loadTokenizer(setup.tokenizerFolder)
  const words = setup.questions?.tokenizer
  const readQuestion =
    words && ((question: string) => words.encode(questionText(question), recipe.data.max_text_length))
  const device = await openDevice(threads === undefined ? {} : { threads })
  const engine = createEngine(createSessions(device, config, tensors, replaced))
  return {
    async say({ items, pixels }, count) {
      const images = await engine.encode(pixels.subarray(0, (count * pixels.length) / items.length), count)
      const said: string[] = []
      for (const [i, image] of images.entries()) {
        const question = items[i]?.sample.question
        const prompt = tokenizer.encode(question === undefined ? recipe.data.prompt : questionPrompt(config, question))
        const asked = question === undefined ? undefined : readQuestion?.(question)
        const [seen] = asked ? await engine.ask([{ image, question: asked }]) : [image]
        const [sequences] = await engine.generate([{ image: seen as GenerationImage, prompt }], { maxNewTokens: 30 })
        said.push(tokenizer.decode(sequences?.[0]?.tokens ?? [], { skipSpecialTokens: true }).trim())
      }
      return said
    },
    close: () => engine.dispose(),
  }
}
