/**
 * What changes a row of scores before a token is chosen, as in Hugging Face transformers 4.27.1
 * (generation/logits_process.py): the same order, float32 arithmetic and ties.
 *
 * `scores` is one row (vocabSize), changed in place; -Infinity is a token that cannot be chosen. `history` is the start
 * token and the new tokens so far, never the prompt. Greedy search and sampling pass logits, beam search
 * log-probabilities: so there the repetition penalty only ever multiplies.
 */
import type { GenerationSettings, TokenIds } from './options.ts'
import { largest, sumExp } from './softmax.ts'
import { emptyTop, offerAll } from './top.ts'

/** What every search applies: repetition penalty, no-repeat n-gram, min new tokens. */
export function applyProcessors(
  scores: Float32Array,
  history: readonly number[],
  settings: GenerationSettings,
  ids: TokenIds,
): void {
  if (settings.repetitionPenalty !== 1) repetitionPenalty(scores, history, settings.repetitionPenalty)
  if (settings.noRepeatNgramSize > 0) noRepeatNgram(scores, history, settings.noRepeatNgramSize)
  if (history.length - 1 < settings.minNewTokens) ban(scores, ids.eosTokenIds)
}

/** What sampling applies after that: temperature, top-k, top-p. */
export function applyWarpers(scores: Float32Array, settings: GenerationSettings): void {
  if (settings.temperature !== 1) temperature(scores, settings.temperature)
  if (settings.topK < scores.length) topK(scores, settings.topK)
  if (settings.topP < 1) topP(scores, settings.topP)
}

/** Negative scores of tokens in the history times `penalty`, others divided by it; once each, however often they occur. */
export function repetitionPenalty(scores: Float32Array, history: readonly number[], penalty: number): void {
  const factor = Math.fround(penalty)
  for (const token of new Set(history)) {
    const score = scores[token]!
    scores[token] = score < 0 ? score * factor : score / factor
  }
}

/** Bans each token that would repeat `size` consecutive tokens of the history (the start token is one of them). */
export function noRepeatNgram(scores: Float32Array, history: readonly number[], size: number): void {
  const tail = history.length - size + 1
  for (let start = 0; start < tail; start++) {
    let same = 0
    while (same < size - 1 && history[start + same] === history[tail + same]) same++
    if (same === size - 1) scores[history[start + size - 1]!] = Number.NEGATIVE_INFINITY
  }
}

/** Bans the given tokens: the end-of-sequence ones while there are fewer than minNewTokens new tokens. */
export function ban(scores: Float32Array, tokens: readonly number[]): void {
  for (const token of tokens) scores[token] = Number.NEGATIVE_INFINITY
}

/** Divides by `temperature`: below 1 makes likely tokens likelier. */
export function temperature(scores: Float32Array, temperature: number): void {
  const divisor = Math.fround(temperature)
  for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! / divisor
}

/** Bans what scores less than the k-th best token; ties with it all stay. */
export function topK(scores: Float32Array, k: number): void {
  const best = emptyTop(Math.min(k, scores.length))
  offerAll(best, scores, 0, 0)
  const bar = best.scores[best.size - 1]!
  for (let i = 0; i < scores.length; i++) if (scores[i]! < bar) scores[i] = Number.NEGATIVE_INFINITY
}

/**
 * Nucleus sampling (Holtzman et al. 2019): from the least likely token upwards, bans as many as together have at most
 * 1 - p of the probability; of equally likely ones the lower index goes first. The likeliest always stays.
 */
export function topP(scores: Float32Array, p: number): void {
  const max = largest(scores)
  const sum = sumExp(scores, max)
  const probability = (score: number): number => Math.fround(Math.exp(score - max) / sum)
  const budget = Math.fround(1 - p)

  // All tokens of a probability below budget / n together stay below the budget. They go: only the others need an order.
  const few = budget / scores.length
  const others: number[] = []
  let banned = 0
  for (let i = 0; i < scores.length; i++) {
    const mass = probability(scores[i]!)
    if (mass < few) banned += mass
    else others.push(scores[i]!)
  }

  const ascending = Float32Array.from(others).sort()
  let kept = 0
  for (; kept < ascending.length - 1; kept++) {
    banned += probability(ascending[kept]!)
    if (Math.fround(banned) > budget) break
  }
  const bar = ascending[kept]!
  let banTies = kept - ascending.indexOf(bar)
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! < bar || (scores[i] === bar && banTies-- > 0)) scores[i] = Number.NEGATIVE_INFINITY
  }
}
