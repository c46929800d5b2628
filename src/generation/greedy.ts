/** Greedy search: always the likeliest token. */
import { growBranches } from './branches.ts'
import type { Decoder } from './decoder.ts'
import type { GenerationSettings, TokenIds } from './options.ts'
import type { GeneratedSequence, StreamedToken } from './sequence.ts'

/** One sequence per item, its tokens as they are found. */
export function greedySearch(
  decoder: Decoder,
  settings: GenerationSettings,
  ids: TokenIds,
  signal?: AbortSignal,
): AsyncGenerator<StreamedToken, GeneratedSequence[][], void> {
  return growBranches(decoder, 1, likeliest, settings, ids, signal)
}

/** The index of the highest score, the first of equals; -1 if all are -Infinity. */
export function likeliest(scores: Float32Array): number {
  let best = -1
  let highest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! <= highest) continue
    highest = scores[i]!
    best = i
  }
  return best
}
