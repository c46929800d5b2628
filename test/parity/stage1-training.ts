/** Folder `lavis-qformer`: the losses of the first stage, what they are made of, and the gradients of every weight that trains. */
import { basename } from 'node:path'
import { labelled, type Value } from '../../src/graph/index.ts'
import { type Stage1Loss, stage1Graph } from '../../src/models/stage1.ts'
import { swapLast, transpose } from '../../src/ops/index.ts'
import { evaluate, type Feeds } from '../support/evaluate.ts'
import { openReference, type Reference } from '../support/reference.ts'
import { floats, longs } from '../support/tensors.ts'
import { compareAll, tolerances } from './compare.ts'
import { openStageOne, type StageOne } from './lavis-qformer.ts'
import { batchFirst, find, range, sequenceFirst } from './layout.ts'
import { attempt, type Check } from './report.ts'
import { compareGradients, expectedGradients, gradientNoise, gradientsByName, trainedModel } from './training.ts'

/** What cases.json says of the batch, with distinct image ids and with those of the fine-tuning for retrieval. */
const cases = ['pretrain', 'image_id'] as const
const parts: readonly Stage1Loss[] = ['itc', 'itm', 'itg']

/** Two units in the last place of a float32 between 1 and 2: the reference's loss_itc happens to be nearer to its float64 result. */
const LAST_PLACES = 2 ** -22

export async function checkStage1Training(path: string): Promise<Check[]> {
  const folder = basename(path)
  const reference = await openReference(path)
  const source = await openStageOne(reference, 'model.safetensors')
  const checks: Check[] = []
  for (const one of cases) {
    checks.push(...(await attempt(folder, `training, ${one}`, () => checkCase(reference, source, one))))
  }
  for (const part of parts) {
    checks.push(...(await attempt(folder, `training, ${part} alone`, () => checkPart(reference, source, part))))
  }
  return checks
}

/** Losses, intermediates and gradients of the sum. */
async function checkCase(reference: Reference, source: StageOne, one: (typeof cases)[number]): Promise<Check[]> {
  const model = trainedModel(source)
  const losses = stage1Graph(model.params, source.config, model.image, { decTokenId: decTokenId(reference) })
  const { loss_itg, ...others } = losses
  const outputs = { ...others, loss_lm: loss_itg!, ...intermediates(losses.loss) }
  const grads = gradientsByName(losses.loss, model.trained())
  const feeds = { ...(await model.feeds()), ...(await batchFeeds(reference, one)) }
  const results = await evaluate({ ...outputs, ...grads }, feeds)

  const where = { folder: basename(reference.folder), variant: `training, ${one}` }
  const tolerance = tolerances(reference.facts)
  // What does not differ from the first case is stored once.
  const named = (name: string) => (reference.names.includes(`${one}.${name}`) ? one : 'pretrain')
  const found = Object.fromEntries(Object.keys(outputs).map((name) => [`${named(name)}.${name}`, results[name]!]))
  const expected = Object.fromEntries(
    await Promise.all(Object.keys(found).map(async (name) => [name, await reference.tensor(name)] as const)),
  )
  const expectedGrads = (await expectedGradients(reference.folder)).get(one)!
  return [
    ...compareAll(where, found, expected, (name) => Math.max(tolerance(name), LAST_PLACES)),
    ...compareGradients(where, results, expectedGrads, gradientNoise(reference, one)),
  ]
}

/** Gradients of one of the three losses, built without the others. */
async function checkPart(reference: Reference, source: StageOne, part: Stage1Loss): Promise<Check[]> {
  const model = trainedModel(source)
  const options = { decTokenId: decTokenId(reference), losses: [part] }
  const { loss } = stage1Graph(model.params, source.config, model.image, options)
  const grads = gradientsByName(loss, model.trained())
  const feeds = { ...(await model.feeds()), ...(await batchFeeds(reference, 'pretrain')) }
  const found = await evaluate(grads, feeds)
  const expected = (await expectedGradients(reference.folder)).get(part === 'itg' ? 'loss_lm' : `loss_${part}`)!
  const where = { folder: basename(reference.folder), variant: `training, ${part} alone` }
  return compareGradients(where, found, expected, gradientNoise(reference, 'pretrain'))
}

/** By the reference's names, batch first. */
function intermediates(loss: Value): Record<string, Value> {
  const inside = find(labelled([loss]))
  return {
    query_output: batchFirst(inside('query_output')),
    text_output: batchFirst(inside('text_output')),
    image_feats: batchFirst(inside('image_feats')),
    text_feat: inside('text_feat'),
    sim_q2t: transpose(inside('sim_q2t'), [1, 2, 0]),
    sim_i2t: inside('sim_i2t'),
    sim_t2i: swapLast(inside('sim_i2t')),
    itm_token_logits: batchFirst(inside('itm_token_logits')),
    itm_logits: inside('itm_logits'),
    lm_hidden: batchFirst(inside('lm_hidden')),
    lm_logits: batchFirst(inside('Qformer.cls.predictions')),
  }
}

/** The negatives that the reference drew, for each item of the batch. */
export interface Negatives {
  readonly neg_image_for_text: readonly number[]
  readonly neg_text_for_image: readonly number[]
}

/** The reference's negatives are forced by noise that is larger than any similarity and than what keeps a pair from being its own. */
export async function batchFeeds(
  reference: Reference,
  one: (typeof cases)[number],
  drawn = reference.facts[one] as Negatives,
): Promise<Feeds> {
  const ids = await reference.tensor('in.input_ids')
  const batch = ids.shape[0]!
  const forced = (chosen: readonly number[]) =>
    floats(
      [batch, batch],
      chosen.flatMap((index) => range(batch).map((column) => (column === index ? 1e6 : 0))),
    )
  return {
    pixel_values: await reference.tensor('in.image'),
    input_ids: sequenceFirst(ids),
    image_ids: one === 'image_id' ? await reference.tensor('in.image_id') : longs([batch], range(batch)),
    'gumbel.images': forced(drawn.neg_image_for_text),
    'gumbel.texts': forced(drawn.neg_text_for_image),
  }
}

export function decTokenId({ facts }: Reference): number {
  return (facts.config as { tokens: { bos: number } }).tokens.bos
}
