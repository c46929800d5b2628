/** Text generation: validates the options and runs the search they ask for. */
import { beamSearch } from './beam.ts'
import type { Decoder } from './decoder.ts'
import { greedySearch } from './greedy.ts'
import { type GenerationOptions, type TokenIds, validateOptions, validateTokenIds } from './options.ts'
import { sampleSequences } from './sampling.ts'
import { bestFirst, type GeneratedSequence, type StreamedToken } from './sequence.ts'

/** What a caller may hook into a running generation. */
export interface GenerateHooks {
  /** Looked at before and after every run of the decoder; an abort rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Called with each token of `streamGenerate`. */
  readonly onToken?: ((token: StreamedToken) => void) | undefined
}

/**
 * Continues every item of a fresh decoder: numReturnSequences sequences per item, best first. Each is the one the item
 * alone would get. Throws ConfigError for unusable options, SessionError for unusable logits.
 */
export async function generate(
  decoder: Decoder,
  options: GenerationOptions,
  ids: TokenIds,
  hooks: GenerateHooks = {},
): Promise<GeneratedSequence[][]> {
  const stream = streamGenerate(decoder, options, ids, hooks)
  for (;;) {
    const next = await stream.next()
    if (next.done) return next.value.map(bestFirst)
    hooks.onToken?.(next.value)
  }
}

/**
 * The same, token by token. Greedy search and sampling yield a token as soon as it is chosen. Beam search knows its
 * tokens only when it has finished: then the best sequence of each item is yielded, as sequence 0. End-of-sequence tokens
 * are not yielded. Returns the sequences in the order of their numbers in the stream: samples as drawn, beams best first.
 */
export async function* streamGenerate(
  decoder: Decoder,
  options: GenerationOptions,
  ids: TokenIds,
  { signal }: Pick<GenerateHooks, 'signal'> = {},
): AsyncGenerator<StreamedToken, GeneratedSequence[][], void> {
  const settings = validateOptions(options)
  validateTokenIds(ids, decoder.vocabSize)
  if (settings.sample) return yield* sampleSequences(decoder, settings, ids, signal)
  if (settings.numBeams === 1) return yield* greedySearch(decoder, settings, ids, signal)
  const found = await beamSearch(decoder, settings, ids, signal)
  for (const [item, sequences] of found.entries()) {
    for (const token of sequences[0]!.tokens) yield { item, sequence: 0, token }
  }
  return found
}
