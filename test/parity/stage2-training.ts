/** Folders `lavis-stage2-*`: the loss of the second stage, what it is made of, and the gradients of every weight that trains. */
import { basename } from 'node:path'
import { labelled } from '../../src/graph/index.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { stage2Graph } from '../../src/models/stage2.ts'
import { IGNORED } from '../../src/nn/index.ts'
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
    logits: inside('language_model.lm_head'),
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
  const labels = await reference.tensor(`${one}.labels`)
  expected[names.logits] = predicting(expected[names.logits]!, labels, source.config)
  const expectedGrads = (await expectedGradients(reference.folder)).get(one)!
  return [
    ...compareAll(where, found, expected, tolerances(reference.facts)),
    ...compareGradients(where, results, expectedGrads, gradientNoise(reference, one)),
  ]
}

/** Of the reference's logits (batch, tokens, vocab) the rows that predict a label, token by token as in the graph: (predicting, vocab). */
function predicting(logits: Tensor, labels: Tensor, { text_config }: Blip2Config): Tensor {
  const [batch, tokens, classes] = logits.shape as [number, number, number]
  const ofItem = rows(labels)
  const ahead = text_config.model_type === 'opt' ? 1 : 0 // OPT's logits are of the token behind; T5 has said what is before it.
  const values = numbers(logits)
  const found: number[] = []
  for (let at = 0; at < tokens; at++) {
    for (let item = 0; item < batch; item++) {
      if ((ofItem[item]![at + ahead] ?? IGNORED) === IGNORED) continue
      for (let i = 0; i < classes; i++) found.push(values[(item * tokens + at) * classes + i]!)
    }
  }
  return floats([found.length / classes, classes], found)
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
