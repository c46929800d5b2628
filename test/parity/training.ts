/** What the folders of both stages have in common: weights that train as inputs, frozen ones in their file, gradients by canonical name. */
import { join } from 'node:path'
import { gradients } from '../../src/autodiff/index.ts'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { GradientError } from '../../src/errors.ts'
import { input, type Value } from '../../src/graph/index.ts'
import type { VisionConfig } from '../../src/models/config.ts'
import { imageHidden } from '../../src/models/image-encoder.ts'
import { canonicalNames } from '../../src/models/names/names.ts'
import { trains } from '../../src/models/trainable.ts'
import { type Params, recorderParams, routedParams, storedParams } from '../../src/nn/index.ts'
import type { ModelSource } from '../../src/tasks/node-source.ts'
import type { Feeds } from '../support/evaluate.ts'
import { type Reference, tensorOf } from '../support/reference.ts'
import { numbers, type Tensor } from '../support/tensors.ts'
import { largestDifference, type Named } from './compare.ts'
import type { Check } from './report.ts'

export interface TrainedModel {
  readonly params: Params
  /** The encoder's graph without its norm, over the input pixel_values. */
  readonly image: Value
  /** The weights that train and that the graph has asked for so far: inputs, as they have no data. */
  trained(): Value[]
  /** Their values in the file. */
  feeds(): Promise<Feeds>
}

/** The model of a checkpoint in training. */
export function trainedModel(source: ModelSource): TrainedModel {
  const fed = recorderParams()
  const frozen = storedParams(source.tensors, { replaced: source.replaced }).params
  const params = routedParams((name) => (trains(name) ? fed.params : frozen))
  return {
    params,
    image: imageHidden(params, source.config.vision_config, pixelValues(source.config.vision_config)),
    trained: () => [...fed.shapes].map(([name, shape]) => fed.params.get(name, shape)),
    async feeds() {
      const names = [...fed.shapes.keys()]
      const tensors = await Promise.all(names.map((name) => tensorOf(source.tensors, name)))
      return Object.fromEntries(names.map((name, i) => [name, tensors[i]!]))
    },
  }
}

function pixelValues({ num_channels, image_size }: VisionConfig): Value {
  return input('pixel_values', 'float32', ['batch', num_channels, image_size, image_size])
}

/** d loss / d each weight as `d NAME`; without the weights that no gradient reaches. */
export function gradientsByName(loss: Value, weights: readonly Value[]): Record<string, Value> {
  const reached = weights.filter((weight) => isReached(loss, weight))
  const found = gradients(loss, reached)
  return Object.fromEntries(reached.map((weight, i) => [`d ${weight.label}`, found[i]!]))
}

function isReached(loss: Value, weight: Value): boolean {
  try {
    return gradients(loss, [weight]).length === 1
  } catch (error) {
    if (error instanceof GradientError) return false
    throw error
  }
}

/** grads.safetensors: prefix (`pretrain`) → canonical name → gradient. */
export async function expectedGradients(folder: string): Promise<Map<string, Named>> {
  const { tensors } = await openCheckpoint(join(folder, 'grads.safetensors'))
  const byPrefix = new Map<string, Record<string, Tensor>>()
  for (const prefix of new Set([...tensors.keys()].map((name) => name.slice(0, name.indexOf('.'))))) {
    const names = [...tensors.keys()].filter((name) => name.startsWith(`${prefix}.`))
    const { tensors: origins } = canonicalNames(
      names.map((name) => name.slice(prefix.length + 1)),
      'grads.safetensors',
    )
    const found: Record<string, Tensor> = {}
    for (const [canonical, origin] of origins) {
      if (origin.kind === 'stored') found[canonical] = await tensorOf(tensors, `${prefix}.${origin.name}`)
    }
    byPrefix.set(prefix, found)
  }
  return byPrefix
}

/**
 * One check for each gradient of the reference; a gradient that is missing counts as 0. Tolerance: 1e-4 of the largest entry, but at
 * most ten times the reference's own noise, and 1e-7 where all entries are noise (the biases of keys, whose true gradient is 0).
 */
export function compareGradients(
  where: Pick<Check, 'folder' | 'variant'>,
  found: Named,
  expected: Named,
  noise: number,
): Check[] {
  return Object.entries(expected).map(([weight, wanted]) => {
    const name = `d ${weight}`
    const largest = numbers(wanted).reduce((most, one) => Math.max(most, Math.abs(one)), 0)
    const difference = found[name] ? largestDifference(found[name], wanted) : largest
    return { ...where, name, difference, tolerance: Math.min(10 * noise, Math.max(1e-4 * largest, 1e-7)) }
  })
}

/** How far the reference's own float32 gradients are from its float64 ones. */
export function gradientNoise({ facts }: Reference, one: string): number {
  const noise = (facts.max_abs_diff_float32_vs_float64 as Readonly<Record<string, number>>)[`${one}.grads`]
  if (noise === undefined) throw new Error(`cases.json does not say the noise of ${one}.grads`)
  return noise
}
