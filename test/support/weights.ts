/** Weights for tests of models: every weight is a graph input, so that it can be fed, changed and differentiated. */
import type { Value } from '../../src/graph/index.ts'
import { type Recording, recorderParams } from '../../src/nn/index.ts'
import type { Feeds } from './evaluate.ts'
import { filled, floats, normal, numbers } from './tensors.ts'

export interface FedWeights extends Recording {
  /** The weights that the model has asked for so far, as values. */
  values(): Value[]
  /** Random tensors for them: norms near 1, biases not 0, everything large enough that each part of the model matters. */
  feeds(seed: number): Feeds
}

export function fedWeights(): FedWeights {
  const recording = recorderParams()
  const all = () => [...recording.shapes]
  return {
    ...recording,
    values: () => all().map(([name, shape]) => recording.params.get(name, shape)),
    feeds: (seed) => Object.fromEntries(all().map(([name, shape], i) => [name, random(seed + i, name, shape)])),
  }
}

function random(seed: number, name: string, shape: readonly number[]) {
  const isScale = shape.length === 1 && !name.endsWith('bias')
  const [centre, deviation] = isScale ? [1, 0.2] : [0, 0.5]
  const noise = numbers(normal(seed, shape))
  return floats(
    shape,
    numbers(filled(shape, centre)).map((value, i) => value + deviation * noise[i]!),
  )
}
