/**
 * What changes scores, written down plainly from Hugging Face transformers 4.27.1 (generation/logits_process.py; the order
 * is that of _get_logits_processor and _get_logits_warper in generation/utils.py). Shares nothing with src/generation.
 */
import type { GenerationSettings, TokenIds } from '../../src/generation/options.ts'

const f32 = Math.fround

export function naiveLogSoftmax(logits: readonly number[]): number[] {
  const max = Math.max(...logits)
  const logSum = f32(Math.log(logits.reduce((sum, x) => sum + Math.exp(x - max), 0)))
  return logits.map((x) => f32(f32(x - max) - logSum))
}

/** The processors in the order of _get_logits_processor. */
export function naiveProcess(
  scores: readonly number[],
  inputIds: readonly number[],
  s: GenerationSettings,
  ids: TokenIds,
): number[] {
  let out = [...scores]
  if (s.repetitionPenalty !== 1) {
    const penalty = f32(s.repetitionPenalty)
    out = out.map((x, token) => (inputIds.includes(token) ? f32(x < 0 ? x * penalty : x / penalty) : x))
  }
  const n = s.noRepeatNgramSize
  if (n > 0 && inputIds.length + 1 >= n) {
    const followers = new Map<string, number[]>()
    for (let i = 0; i + n <= inputIds.length; i++) {
      const prefix = inputIds.slice(i, i + n - 1).join()
      followers.set(prefix, [...(followers.get(prefix) ?? []), inputIds[i + n - 1]!])
    }
    const banned = followers.get(inputIds.slice(inputIds.length + 1 - n).join()) ?? []
    out = out.map((x, token) => (banned.includes(token) ? -Infinity : x))
  }
  const minLength = s.minNewTokens + 1
  if (inputIds.length < minLength) out = out.map((x, token) => (ids.eosTokenIds.includes(token) ? -Infinity : x))
  return out
}

/** The warpers in the order of _get_logits_warper. */
export function naiveWarp(scores: readonly number[], s: GenerationSettings): number[] {
  let out = scores.map((x) => f32(x / f32(s.temperature)))
  const kth = out.toSorted((a, b) => b - a)[Math.min(s.topK, out.length) - 1]!
  out = out.map((x) => (x < kth ? -Infinity : x))
  return s.topP < 1 ? [...naiveTopP(Float32Array.from(out), s.topP)] : out
}

/** TopPLogitsWarper of transformers 4.27.1 line for line; torch cumulates float32 in double precision on the CPU. */
export function naiveTopP(scores: Float32Array, p: number): Float32Array {
  const max = Math.max(...scores)
  const sum = scores.reduce((total, score) => total + Math.exp(score - max), 0)
  const order = Array.from(scores.keys()).sort((a, b) => (scores[a] === scores[b] ? 0 : scores[a]! - scores[b]!))
  const out = scores.slice()
  let cumulated = 0
  for (const token of order.slice(0, -1)) {
    cumulated += Math.fround(Math.exp(scores[token]! - max) / sum)
    if (Math.fround(cumulated) <= Math.fround(1 - p)) out[token] = -Infinity
  }
  return out
}
