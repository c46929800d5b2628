/** Folder `optim`: four steps of training the tiny first-stage model beside it, as the runtime takes them. */
import { basename, dirname, join } from 'node:path'
import { gradients } from '../../src/autodiff/index.ts'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { toOnnx, type Value } from '../../src/graph/index.ts'
import { canonicalNames } from '../../src/models/names/names.ts'
import { stage1Graph } from '../../src/models/stage1.ts'
import { decays } from '../../src/optim/groups.ts'
import type { Device, Tensor } from '../../src/runtime/device.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { training } from '../support/evaluate.ts'
import { openReference, readJson, tensorOf } from '../support/reference.ts'
import { floats } from '../support/tensors.ts'
import { compareAll, type Named } from './compare.ts'
import { openStageOne } from './lavis-qformer.ts'
import type { Check } from './report.ts'
import { batchFeeds, decTokenId, type Negatives } from './stage1-training.ts'
import { trainedModel } from './training.ts'

interface Facts {
  /** Path of the weights, from this folder. */
  readonly weights: string
  readonly optimizer: string
  readonly steps: readonly (Negatives & Readonly<Record<Loss, number>> & { readonly step: number })[]
}

const losses = ['loss', 'loss_itc', 'loss_itm', 'loss_lm'] as const
type Loss = (typeof losses)[number]

export async function checkStage1Steps(path: string): Promise<Check[]> {
  const facts = (await readJson(join(path, 'cases.json'))).stage1_training_4_steps as Facts
  const expected: Record<string, Tensor> = await parametersAfter(path)
  for (const step of facts.steps) {
    for (const name of losses) expected[`step ${step.step} ${name}`] = floats([], [step[name]])
  }
  const device = await openDevice({ threads: 1 })
  try {
    const found = await train(device, path, facts)
    const kept = Object.fromEntries(Object.entries(found).filter(([name]) => name in expected))
    const where = { folder: basename(path), variant: 'stage 1, four steps' }
    return compareAll(where, kept, expected, tolerance(optimiser(facts).learningRate, facts.steps.length))
  } finally {
    await device.dispose()
  }
}

/** Losses of every step, and all parameters afterwards. */
async function train(device: Device, path: string, facts: Facts): Promise<Named> {
  const weights = join(path, facts.weights)
  const reference = await openReference(dirname(weights))
  const source = await openStageOne(reference, basename(weights))
  const model = trainedModel(source)
  const { loss_itg, ...others } = stage1Graph(model.params, source.config, model.image, {
    decTokenId: decTokenId(reference),
  })
  const parameters = model.trained()
  const slopes = gradients(others.loss, parameters)
  const named = parameters.map((parameter, i) => [`gradient.${parameter.label}`, slopes[i] as Value] as const)
  const outputs = { ...others, loss_lm: loss_itg as Value, ...Object.fromEntries(named) }
  const { bytes, weightsFolder } = toOnnx(outputs, training)
  const session = await device.createSession(bytes, weightsFolder === undefined ? {} : { weightsFolder })

  const { weightDecay, ...options } = optimiser(facts)
  const values = Object.entries(await model.feeds())
  const set = values.map(([name, { shape }]) => [name, { shape, weightDecay: decays(name, shape) ? weightDecay : 0 }])
  const variables = await device.createVariables(Object.fromEntries(set))
  for (const [name, { data }] of values) await variables.write(name, data as Float32Array)

  const found: Record<string, Tensor> = {}
  for (const step of facts.steps) {
    const results = await session.run(await batchFeeds(reference, 'pretrain', step), { variables })
    for (const name of losses) found[`step ${step.step} ${name}`] = results[name] as Tensor
    await variables.update(options)
  }
  for (const [name, { shape }] of values) found[name] = floats(shape, await variables.read(name))
  return found
}

/** "AdamW lr 2e-3 constant, betas (0.9, 0.98), eps 1e-8, LAVIS groups with weight_decay 0.05, no clipping" */
function optimiser({ optimizer }: Facts) {
  const found = /lr (\S+) constant, betas \((\S+), (\S+)\), eps (\S+), .* weight_decay (\S+), no clipping/.exec(
    optimizer,
  )
  if (!found) throw new Error(`an optimiser that is not understood: ${optimizer}`)
  const [learningRate, beta1, beta2, eps, weightDecay] = found.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return { learningRate, betas: [beta1, beta2], eps, weightDecay } as const
}

/** By canonical name. */
async function parametersAfter(path: string): Promise<Record<string, Tensor>> {
  const { tensors } = await openCheckpoint(join(path, 'stage1_after_4_steps.safetensors'))
  const found: Record<string, Tensor> = {}
  for (const [name, origin] of canonicalNames([...tensors.keys()], path).tensors) {
    if (origin.kind === 'stored') found[name] = await tensorOf(tensors, origin.name)
  }
  return found
}

/**
 * What the README expects. The true gradient of a key's bias is 0, as the softmax ignores it; Adam turns the rounding noise in its place
 * into steps of the size of the learning rate.
 */
function tolerance(learningRate: number, steps: number): (name: string) => number {
  return (name) => (name.startsWith('step') ? 1e-5 : name.endsWith('key.bias') ? steps * learningRate : 2e-5)
}
