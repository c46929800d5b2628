import type { StoredTensor } from '../checkpoints/safetensors.ts'
import type { WeightData } from '../graph/index.ts'
import { type Params, paramsFrom, storedParams } from '../nn/index.ts'
import { aliases, type Shape } from './needed-weights.ts'

export interface TrainedParams {
  readonly params: Params
  /** The weights that train, as far as the graphs have asked for them. They are inputs of the graph, under their names. */
  readonly shapes: ReadonlyMap<string, Shape>
  /** The others that the graphs have asked for, and where they lie. */
  readonly frozen: ReadonlyMap<string, FrozenWeight>
  /** @throws CheckpointError that lists the frozen weights which no checkpoint has. */
  check(): void
}

export interface FrozenWeight {
  readonly shape: Shape
  readonly data: WeightData
}

/** Params of which some train and the others lie frozen in files. */
export function trainedParams(
  tensors: ReadonlyMap<string, StoredTensor>,
  replaced: ReadonlyMap<string, Float32Array>,
  trains: (name: string) => boolean,
): TrainedParams {
  // Checkpoints are of whole models, of which an objective may need a part.
  const stored = storedParams(tensors, { aliases, replaced, unused: () => true })
  const shapes = new Map<string, Shape>()
  const frozen = new Map<string, FrozenWeight>()
  const params = paramsFrom((name, shape) => {
    if (trains(name)) {
      shapes.set(name, shape)
      return undefined
    }
    const { source } = stored.params.get(name, shape)
    const data = source.kind === 'parameter' ? source.data : undefined
    if (data) frozen.set(name, { shape, data })
    return data
  })
  return { params, shapes, frozen, check: stored.check }
}
