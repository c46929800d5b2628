/** The graphs of a run as sessions: the frozen encoder, the losses with their gradients, and the losses alone. */
import { type GradientOptions, gradients } from '../autodiff/index.ts'
import { SessionError } from '../errors.ts'
import { identity, labelled, plainForm, reachable, toOnnx, type Value } from '../graph/index.ts'
import { imageHidden } from '../models/image-encoder.ts'
import type { Device, Session, Tensor, Variables } from '../runtime/device.ts'
import { keptBytes } from './activations.ts'
import type { Feeds } from './feeds.ts'
import type { StartingWeights } from './node-found-weights.ts'
import { type ModelConfig, type Objective, pixelInput } from './objective.ts'
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
  /** How alike the images (rows) and the texts of a batch are, where the objective compares them. */
  compare(feeds: Feeds, variables: Variables): Promise<Float32Array | undefined>
  /** Bytes that wait for the gradient while a batch is computed; `sizes` of the named dimensions. */
  keptBytes(sizes: Readonly<Record<string, number>>): number
  /** The first tensor in the order of the computation that holds a number which is none, or undefined. */
  firstNonFinite(feeds: Feeds, variables: Variables): Promise<string | undefined>
}

/** Reads no weights. Throws CheckpointError for frozen ones that are missing. */
export function buildGraphs(
  device: Device,
  config: ModelConfig,
  objective: Objective,
  weights: StartingWeights,
  options: GradientOptions = {},
): Graphs {
  const { params, shapes, frozen, check } = trainedParams(weights.tensors, weights.replaced, objective.trains)
  const losses = objective.losses(params)
  const pixels = pixelInput(config)
  const encoder =
    objective.images === 'hidden' ? { image_hidden: imageHidden(params, config.vision_config, pixels) } : undefined
  check()

  const names = [...shapes.keys()]
  const trained = names.map((name) => params.get(name, shapes.get(name) as readonly number[]))
  const slopes = gradients(losses.loss as Value, trained, options)
  const withGradients = {
    ...losses,
    ...Object.fromEntries(names.map((name, i) => [`gradient.${name}`, slopes[i] as Value])),
  }

  const sessions = new Map<string, Promise<Session>>()
  const session = (name: string, outputs: Readonly<Record<string, Value>>, purpose: 'training' | 'inference') => {
    const known = sessions.get(name)
    if (known) return known
    const { bytes, weightsFolder } = toOnnx(outputs, { purpose, sizes: {} })
    const keepsMemory = purpose === 'training'
    const made = device.createSession(bytes, {
      name,
      keepsMemory,
      ...(weightsFolder !== undefined && { weightsFolder }),
    })
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
    async compare(feeds, variables) {
      const similarity = labelled(Object.values(losses)).get('sim_i2t')
      if (!similarity) return undefined
      const made = await session('comparison', { similarity }, 'inference')
      const found = await made.run(readBy(made, feeds), { variables })
      return found.similarity?.data as Float32Array
    },
    keptBytes: (sizes) => keptBytes(Object.values(losses), slopes, sizes),
    async firstNonFinite(feeds, variables) {
      const named = inOrder(Object.values(losses))
      const outputs = Object.fromEntries(named.map(([, value], i) => [`${i}`, value]))
      const made = await session('diagnosis', outputs, 'training')
      const found = await made.run(readBy(made, feeds), { variables })
      const bad = named.findIndex((_, i) => !allFinite(found[`${i}`]?.data as Float32Array))
      return named[bad]?.[0]
    },
  }
}

/** The values with a name that are computed, in the order of the computation. */
function inOrder(losses: readonly Value[]): [name: string, value: Value][] {
  const names = new Map(Array.from(labelled(losses), ([name, value]) => [identity(plainForm(value)), name]))
  return reachable(losses, plainForm).flatMap((value) => {
    const name = names.get(identity(value))
    return name !== undefined && value.source.kind === 'node' && value.dtype === 'float32' ? [[name, value]] : []
  })
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
