/** The graphs of a run as sessions: the frozen encoder, the losses with their gradients, and the losses alone. */
import { gradients } from '../autodiff/index.ts'
import { SessionError } from '../errors.ts'
import { input, labelled, plainForm, reachable, toOnnx, type Value } from '../graph/index.ts'
import { imageHidden } from '../models/image-encoder.ts'
import type { Device, Session, Tensor, Variables } from '../runtime/device.ts'
import type { Feeds } from './feeds.ts'
import type { StartingWeights } from './node-starting-weights.ts'
import type { ModelConfig, Objective } from './objective.ts'
import { type FrozenWeight, trainedParams } from './trained-params.ts'

export interface Graphs {
  /** The weights that train. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** The others, which stay where they are. */
  readonly frozen: ReadonlyMap<string, FrozenWeight>
  /** Pixels (batch, 3, size, size) → the frozen encoder's output (patches, batch, hidden_size). */
  encode(pixels: Tensor): Promise<Tensor>
  /** The losses of a batch; their gradients are added to those of the variables. */
  train(feeds: Feeds, variables: Variables): Promise<Record<string, number>>
  /** The losses alone. */
  evaluate(feeds: Feeds, variables: Variables): Promise<Record<string, number>>
  /** The first tensor in the order of the computation that holds a number which is none, or undefined. */
  firstNonFinite(feeds: Feeds, variables: Variables): Promise<string | undefined>
}

/** Reads no weights. Throws CheckpointError for frozen ones that are missing. */
export function buildGraphs(
  device: Device,
  config: ModelConfig,
  objective: Objective,
  weights: StartingWeights,
): Graphs {
  const { params, shapes, frozen, check } = trainedParams(weights.tensors, weights.replaced, objective.trains)
  const losses = objective.losses(params)
  const pixels = pixelInput(config)
  const encoder =
    objective.images === 'hidden' ? { image_hidden: imageHidden(params, config.vision_config, pixels) } : undefined
  check()

  const names = [...shapes.keys()]
  const trained = names.map((name) => params.get(name, shapes.get(name) as readonly number[]))
  const slopes = gradients(losses.loss as Value, trained)
  const withGradients = {
    ...losses,
    ...Object.fromEntries(names.map((name, i) => [`gradient.${name}`, slopes[i] as Value])),
  }

  const sessions = new Map<string, Promise<Session>>()
  const session = (name: string, outputs: Readonly<Record<string, Value>>, purpose: 'training' | 'inference') => {
    const known = sessions.get(name)
    if (known) return known
    const { bytes, weightsFolder } = toOnnx(outputs, { purpose, sizes: {} })
    const made = device.createSession(bytes, { name, ...(weightsFolder !== undefined && { weightsFolder }) })
    sessions.set(name, made)
    return made
  }

  return {
    shapes,
    frozen,
    async encode(pixel_values) {
      if (!encoder) throw new SessionError('encode: the image encoder is trained, so there is none apart')
      const { image_hidden } = await (await session('encoder', encoder, 'inference')).run({ pixel_values })
      return image_hidden as Tensor
    },
    train: async (feeds, variables) => runFor(await session('training', withGradients, 'training'), feeds, variables),
    evaluate: async (feeds, variables) => runFor(await session('losses', losses, 'inference'), feeds, variables),
    async firstNonFinite(feeds, variables) {
      const inside = labelled(Object.values(losses))
      const order = reachable(Object.values(losses), plainForm)
      const place = new Map(order.map((value, i) => [value.label, i]))
      const floats = [...inside].filter(
        ([, value]) => value.dtype === 'float32' && value.source.kind !== 'parameter' && value.source.kind !== 'input',
      )
      floats.sort(([a], [b]) => (place.get(a) ?? 0) - (place.get(b) ?? 0))
      const outputs = Object.fromEntries(floats.map(([name, value], i) => [`${i}`, { ...value, label: name }]))
      const made = await session('diagnosis', outputs, 'training')
      const found = await made.run(readBy(made, feeds), { variables })
      const bad = floats.findIndex((_, i) => !allFinite(found[`${i}`]?.data as Float32Array))
      return floats[bad]?.[0]
    },
  }
}

function pixelInput({ vision_config: { num_channels, image_size } }: ModelConfig): Value {
  return input('pixel_values', 'float32', ['batch', num_channels, image_size, image_size])
}

async function runFor(session: Session, feeds: Feeds, variables: Variables): Promise<Record<string, number>> {
  const outputs = session.outputNames.filter((name) => !name.startsWith('gradient.'))
  const found = await session.run(readBy(session, feeds), { variables, outputs })
  return Object.fromEntries(outputs.map((name) => [name, (found[name] as Tensor).data[0] as number]))
}

/** Without what an objective is fed and does not read, such as draws for a loss that is left out. */
function readBy(session: Session, feeds: Feeds): Feeds {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)))
}

function allFinite(values: Float32Array): boolean {
  return values.every(Number.isFinite)
}
