/** What generation returns, and the one definition of a sequence's score. */

/** One generated continuation of one item. */
export interface GeneratedSequence {
  /** The new tokens: neither prompt, nor start token, nor end-of-sequence token. */
  readonly tokens: readonly number[]
  /** See `sequenceScore`: close to the mean natural-log probability of a token, so at most 0; higher is better. */
  readonly score: number
  /**
   * `eos`: the model ended the sequence. `length`: it was cut after maxNewTokens; a model that repeats itself without
   * end shows up as this, and noRepeatNgramSize (3 is usual) or repetitionPenalty (1.2) are the cure.
   */
  readonly finishReason: 'eos' | 'length'
}

/** A token as soon as it is final: `token` is the next one of sequence number `sequence` of item `item`. */
export interface StreamedToken {
  readonly item: number
  readonly sequence: number
  readonly token: number
}

/**
 * logProbability / (newTokens + 1)^lengthPenalty.
 *
 * logProbability is the sum over the new tokens and the end-of-sequence token, newTokens counts without the latter. The
 * 1 is the start token, which Hugging Face counts (transformers 4.27.1, BeamHypotheses.add). So for a sequence that
 * has ended and lengthPenalty 1 this is the mean over everything the model produced.
 */
export function sequenceScore(logProbability: number, newTokens: number, lengthPenalty: number): number {
  return logProbability / (newTokens + 1) ** lengthPenalty
}

/** A copy sorted by score, the highest first; equal scores stay in their order. */
export function bestFirst(sequences: readonly GeneratedSequence[]): GeneratedSequence[] {
  return [...sequences].sort((a, b) => (a.score === b.score ? 0 : b.score - a.score))
}
