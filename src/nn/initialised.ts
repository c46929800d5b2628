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

/**
 * Uniform numbers in [0, 1): sfc32 (Doty-Humphrey, PractRand) started from three hashes of the text (FNV-1a).
 * Its 128 bits of state keep the streams of a model's thousand weights apart; 32 would make some of them overlap.
 */
function randomFor(text: string): () => number {
  let [a, b, c] = [0x811c9dc5, 0x9e3779b9, 0x7f4a7c15].map((start) => hash(text, start)) as [number, number, number]
  let counter = 1
  const next = () => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let warmUp = 0; warmUp < 15; warmUp++) next()
  return next
}

function hash(text: string, start: number): number {
  let state = start
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state
}
