/** Folders `lavis-stage2-*`: the loss of the second stage, what it is made of, and the gradients of every weight that trains. */
import { basename } from 'node:path'
import { labelled } from '../../src/graph/index.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { stage2Graph } from '../../src/models/stage2.ts'
import { evaluate, type Feeds } from '../support/evaluate.ts'
import { openReference, type Reference } from '../support/reference.ts'
import { floats, longs, numbers, type Tensor } from '../support/tensors.ts'
import { compareAll, tolerances } from './compare.ts'
import { openStageTwo, type StageTwo } from './lavis-stage2.ts'
import { batchFirst, find, rows, sequenceFirst } from './layout.ts'
import { attempt, type Check } from './report.ts'
import { compareGradients, expectedGradients, gradientNoise, gradientsByName, trainedModel } from './training.ts'

/** Without and with a prompt, whose tokens are no labels. */
const cases = ['caption', 'prompted']

export async function checkStage2Training(path: string): Promise<Check[]> {
  const folder = basename(path)
  const reference = await openReference(path)
  const source = await openStageTwo(reference, 'model.safetensors')
  const checks: Check[] = []
  for (const one of cases) {
    checks.push(...(await attempt(folder, `training, ${one}`, () => checkCase(reference, source, one))))
  }
  return checks
}

async function checkCase(reference: Reference, source: StageTwo, one: string): Promise<Check[]> {
  const model = trainedModel(source)
  const { loss } = stage2Graph(model.params, source.config, model.image)
  const inside = find(labelled([loss]))
  const outputs = {
    loss,
    query_output: batchFirst(inside('query_output')),
    proj: batchFirst(inside('language_projection')),
    logits: batchFirst(inside('language_model.lm_head')),
  }
  const grads = gradientsByName(loss, model.trained())
  const feeds = { ...(await model.feeds()), ...(await batchFeeds(reference, source.config, one)) }
  const results = await evaluate({ ...outputs, ...grads }, feeds)

  const where = { folder: basename(reference.folder), variant: `training, ${one}` }
  const names = { loss: `${one}.loss`, logits: `${one}.logits` } as const
  const nameOf = (name: string) => (name in names ? names[name as keyof typeof names] : name)
  const expected: Record<string, Tensor> = {}
  const found: Record<string, Tensor> = {}
  for (const name of Object.keys(outputs)) {
    expected[nameOf(name)] = await reference.tensor(nameOf(name))
    found[nameOf(name)] = results[name]!
  }
  const counting = predicting(await countingRows(reference, source.config, one), source.config)
  expected[names.logits] = predicting(expected[names.logits]!, source.config)
  for (const side of [found, expected]) side[names.logits] = withoutPadding(side[names.logits]!, counting)
  const expectedGrads = (await expectedGradients(reference.folder)).get(one)!
  return [
    ...compareAll(where, found, expected, tolerances(reference.facts)),
    ...compareGradients(where, results, expectedGrads, gradientNoise(reference, one)),
  ]
}

/** Of (batch, tokens, …) the rows that predict a token of the text: with OPT neither the queries before the last one, nor the last token. */
function predicting(tensor: Tensor, { text_config, num_query_tokens }: Blip2Config): Tensor {
  if (text_config.model_type === 't5') return tensor
  const [batch, tokens, ...rest] = tensor.shape as [number, number, ...number[]]
  const [first, size] = [num_query_tokens - 1, rest.reduce((a, b) => a * b, 1)]
  const values = numbers(tensor)
  const items = Array.from({ length: batch }, (_, item) =>
    values.slice((item * tokens + first) * size, ((item + 1) * tokens - 1) * size),
  )
  return floats([batch, tokens - num_query_tokens, ...rest], items.flat())
}

async function batchFeeds(
  reference: Reference,
  { text_config, num_query_tokens }: Blip2Config,
  one: string,
): Promise<Feeds> {
  const labels = await reference.tensor(`${one}.labels`)
  // The reference has a label for each query too: none of them counts.
  const ofText = rows(labels).map((row) => (text_config.model_type === 'opt' ? row.slice(num_query_tokens) : row))
  return {
    pixel_values: await reference.tensor('in.image'),
    input_ids: sequenceFirst(await reference.tensor(`in.${one}.input_ids`)),
    labels: sequenceFirst(longs([ofText.length, ofText[0]!.length], ofText.flat())),
  }
}

/** (batch, tokens): 1 where the reference's logits are of a token. Behind a text, its padding sees other things than ours. */
function countingRows(reference: Reference, { text_config }: Blip2Config, one: string): Promise<Tensor> {
  const name = text_config.model_type === 'opt' ? `${one}.llm_attention_mask` : `in.${one}.output_attention_mask`
  return reference.tensor(name)
}

function withoutPadding(logits: Tensor, counting: Tensor): Tensor {
  const [classes, counts] = [logits.shape[2]!, numbers(counting)]
  const values = numbers(logits).map((value, i) => (counts[Math.floor(i / classes)] === 1 ? value : 0))
  return floats(logits.shape, values)
}
