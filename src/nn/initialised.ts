import { type Params, paramsFrom } from './params.ts'

export interface InitialiserOptions {
  readonly seed: number
  /** Standard deviation of weights with two or more axes (0.02 in BERT, EVA-CLIP, OPT and for the query tokens). */
  readonly deviation?: number
}

/**
 * Fresh float32 weights, the scheme of the paper's modules (BERT: Devlin et al. 2019; `initializer_range` 0.02):
 * normal weights, zero biases, ones for the scales of norms. A weight depends on the seed and on its name only, never on
 * the order in which a model asks.
 */
export function initialisedParams(options: InitialiserOptions): Params {
  return paramsFrom((name, shape) => {
    const values = new Float32Array(shape.reduce((n, dim) => n * dim, 1))
    if (shape.length >= 2) fillNormal(values, randomFor(`${options.seed}:${name}`), options.deviation ?? 0.02)
    else if (!name.endsWith('bias')) values.fill(1)
    return { kind: 'memory', values }
  })
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

/** Uniform numbers in [0, 1): SplitMix32 started from a hash (FNV-1a) of the text. */
function randomFor(text: string): () => number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let bits = state ^ (state >>> 16)
    bits = Math.imul(bits, 0x21f0aaad)
    bits ^= bits >>> 15
    bits = Math.imul(bits, 0x735a2d97)
    bits ^= bits >>> 15
    return (bits >>> 0) / 2 ** 32
  }
}
