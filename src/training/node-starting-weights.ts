/** How the weights that train begin. */
import { readTensor } from '../checkpoints/node.ts'
import { CheckpointError } from '../errors.ts'
import { showShape } from '../graph/index.ts'
import { type InitialiserOptions, initialisedParams } from '../nn/index.ts'
import { aliases, lacksLastRow, type Shape } from './needed-weights.ts'
import type { StartingWeights } from './node-found-weights.ts'

/** As stored, as a copy of the text's feed-forward (LAVIS, blip2_qformer.py: `_query`), or drawn. */
export interface Beginning {
  readonly values: Float32Array
  readonly from: 'checkpoint' | 'text' | 'fresh'
}

/** Of the contrastive losses, which divide by it (LAVIS, blip2_qformer.py). */
const TEMPERATURE = 0.07

/** What is drawn depends on name and `initialiser` alone. Throws CheckpointError for another shape. */
export async function beginning(
  name: string,
  shape: Shape,
  weights: StartingWeights,
  initialiser: InitialiserOptions,
): Promise<Beginning> {
  const stored = await storedValues(name, shape, weights, initialiser)
  if (stored) return { values: stored, from: 'checkpoint' }
  const text = await storedValues(textName(name), shape, weights, initialiser)
  if (text) return { values: text, from: 'text' }
  if (/(^|\.)temp$/.test(name)) return { values: Float32Array.of(TEMPERATURE), from: 'fresh' }
  return { values: fresh(name, shape, initialiser), from: 'fresh' }
}

/** Whether a weight will be drawn, as no checkpoint has it nor what it is a copy of. */
export function isFresh(name: string, { tensors, replaced }: StartingWeights): boolean {
  const names = [name, textName(name)].flatMap((one) => [one, ...(aliases[one] ?? [])])
  return !names.some((one) => tensors.has(one) || replaced.has(one))
}

/** Of a weight of the queries' feed-forward the one that it is a copy of; of any other itself. */
function textName(name: string): string {
  return name.replace(/\.(intermediate|output)_query\./, '.$1.')
}

async function storedValues(
  name: string,
  shape: Shape,
  { tensors, replaced }: StartingWeights,
  initialiser: InitialiserOptions,
): Promise<Float32Array | undefined> {
  const computed = replaced.get(name)
  if (computed) return computed
  const tensor = [name, ...(aliases[name] ?? [])].map((one) => tensors.get(one)).find((one) => one !== undefined)
  if (!tensor) return undefined
  const values = (await readTensor(tensor)) as Float32Array
  if (showShape(tensor.shape) === showShape(shape)) return values
  if (!lacksLastRow(name, tensor.shape, shape))
    throw new CheckpointError(
      `${tensor.file}: ${name}: shape ${showShape(tensor.shape)}, the recipe's model needs ${showShape(shape)}; is model.config that of this checkpoint?`,
    )
  const all = fresh(name, shape, initialiser)
  all.set(values)
  return all
}

function fresh(name: string, shape: Shape, initialiser: InitialiserOptions): Float32Array {
  const { source } = initialisedParams(initialiser).get(name, shape)
  if (source.kind === 'parameter' && source.data?.kind === 'memory') return source.data.values
  throw new Error(`${name}: no values`)
}
