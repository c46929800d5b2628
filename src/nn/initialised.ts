import { randomFor } from '../random.ts'
import { type Params, paramsFrom } from './params.ts'
import { gridSinusoids, sinusoids } from './sinusoids.ts'

export interface InitialiserOptions {
  readonly seed: number
  /** Standard deviation of weights with two or more axes (0.02 in BERT, EVA-CLIP, OPT and for the query tokens). */
  readonly deviation?: number
}

/**
 * Fresh float32 weights, the scheme of the paper's modules (BERT: Devlin et al. 2019; `initializer_range` 0.02):
 * normal weights, zero biases, ones for the scales of norms. But tables of positions begin as waves
 * (docs/decisions/0022). A weight depends on the seed and on its name only, never on the order in which a model asks.
 */
export function initialisedParams({ seed, deviation = 0.02 }: InitialiserOptions): Params {
  return paramsFrom((name, shape) => {
    const table = positionTable(name, shape, deviation)
    if (table) return { kind: 'memory', values: table }
    const values = new Float32Array(shape.reduce((n, dim) => n * dim, 1))
    if (shape.length >= 2) fillNormal(values, randomFor(`${seed}:${name}`), deviation)
    else if (!name.endsWith('bias')) values.fill(1)
    return { kind: 'memory', values }
  })
}

/**
 * What a table of positions begins with, undefined for any other weight: of tokens (count, size), as high as the words that it is added to; or
 * of a class token and patches (…, 1 + side², size), as high as what fresh weights make of a patch.
 */
function positionTable(name: string, shape: readonly number[], deviation: number): Float32Array | undefined {
  const scaled = (table: Float32Array, height: number) => table.map((value) => height * value)
  const [count, size] = shape.slice(-2) as [number, number]
  // A decoder looks for the word before another, which short waves tell from its neighbours.
  if (/\bembed_positions\.weight$/.test(name)) return scaled(sinusoids(count, size, Math.PI), deviation)
  if (/\bposition_embeddings\.weight$/.test(name)) return scaled(sinusoids(count, size), deviation)
  if (/\bposition_embedding(\.weight)?$/.test(name))
    return scaled(gridSinusoids(Math.sqrt(count - 1), size), deviation * Math.sqrt(size))
  return undefined
}

/** Box–Muller. */
function fillNormal(values: Float32Array, random: () => number, deviation: number): void {
  for (let i = 0; i < values.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()))
    const angle = 2 * Math.PI * random()
    values[i] = radius * Math.cos(angle)
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle)
  }
}
