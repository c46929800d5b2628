/** Sampling: each token is drawn from the model's distribution after temperature, top-k and top-p. */
import { growBranches } from './branches.ts'
import type { Decoder } from './decoder.ts'
import type { GenerationSettings, TokenIds } from './options.ts'
import { applyWarpers } from './processors.ts'
import { uniform } from './random.ts'
import type { GeneratedSequence, StreamedToken } from './sequence.ts'
import { largest, sumExp } from './softmax.ts'

/**
 * numReturnSequences sequences per item, in the order drawn. A draw depends on the seed, the number of the sequence and
 * of its token, and nothing else: sequence 2 of an item is the same however many items and sequences are asked for.
 */
export function sampleSequences(
  decoder: Decoder,
  settings: GenerationSettings,
  ids: TokenIds,
  signal?: AbortSignal,
): AsyncGenerator<StreamedToken, GeneratedSequence[][], void> {
  const seed = settings.seed ?? Math.floor(Math.random() * 2 ** 53)
  const choose = (scores: Float32Array, sequence: number, step: number): number => {
    applyWarpers(scores, settings)
    return draw(scores, uniform(seed, sequence, step))
  }
  return growBranches(decoder, settings.numReturnSequences, choose, settings, ids, signal)
}

/** The token in whose part of the cumulated softmax of `scores` the number `u` in [0, 1) falls; -1 if all are banned. */
export function draw(scores: Float32Array, u: number): number {
  const max = largest(scores)
  if (max === Number.NEGATIVE_INFINITY) return -1
  let rest = u * sumExp(scores, max)
  let last = -1
  for (let i = 0; i < scores.length; i++) {
    const mass = Math.exp(scores[i]! - max)
    if (mass === 0) continue
    last = i
    rest -= mass
    if (rest < 0) break
  }
  return last
}
