/** What the model says of validation pictures as it is now, for the report. */
import { pictureUrl } from '../images/node-picture.ts'
import { denormalised } from '../images/preprocess.ts'
import { isRetrievalConfig } from '../models/config.ts'
import { openDevice } from '../runtime/node.ts'
import { createEngine } from '../tasks/engine.ts'
import { questionPrompt } from '../tasks/prompts.ts'
import { createSessions } from '../tasks/sessions.ts'
import { loadTokenizer } from '../tokenizers/node.ts'
import type { Example } from './log.ts'
import type { ValidationBatch } from './node-batches.ts'
import type { SavedRun } from './node-checkpoints.ts'
import type { Graphs } from './node-graphs.ts'
import type { Setup } from './node-setup.ts'
import type { Recipe } from './recipe.ts'

/** Captions (or answers, where the sample has a question) of the first pictures, for a model that generates; else none. */
export async function captionExamples(
  { recipe, setup, graphs }: { readonly recipe: Recipe; readonly setup: Setup; readonly graphs: Graphs },
  saved: SavedRun,
  batches: readonly ValidationBatch[],
): Promise<Example[]> {
  const { config, weights } = setup
  const [batch] = batches
  if (recipe.objective !== 'stage2' || isRetrievalConfig(config) || !batch || recipe.examples === 0) return []
  const size = config.vision_config.image_size
  const count = Math.min(recipe.examples, batch.items.length)
  const frozen = [...graphs.frozen.keys()].flatMap((name) => {
    const tensor = weights.tensors.get(name)
    return tensor ? [[name, tensor] as const] : []
  })
  const tensors = new Map([...frozen, ...saved.weights.tensors])
  const replaced = new Map([...weights.replaced].filter(([name]) => !saved.weights.tensors.has(name)))
  const tokenizer = await loadTokenizer(setup.tokenizerFolder)
  // A device of its own, whose sessions go with it.
  const engine = createEngine(createSessions(await openDevice(), config, tensors, replaced))
  try {
    const pixels = batch.pixels.subarray(0, count * 3 * size * size)
    const images = await engine.encode(pixels, count)
    return await Promise.all(
      images.map(async (image, i) => {
        const { sample, text } = batch.items[i] as ValidationBatch['items'][number]
        const { question } = sample
        const prompt = question === undefined ? recipe.data.prompt : questionPrompt(config, question)
        const [best] =
          (await engine.generate([{ image, prompt: tokenizer.encode(prompt) }], { maxNewTokens: 30 }))[0] ?? []
        const said = tokenizer.decode(best?.tokens ?? [], { skipSpecialTokens: true }).trim()
        const shown = denormalised(pixels.subarray(i * 3 * size * size), size)
        const asked = (words: string) => (question === undefined ? words : `${question} ${words}`)
        return { picture: await pictureUrl(shown), said: asked(said), reference: text }
      }),
    )
  } finally {
    await engine.dispose()
  }
}
