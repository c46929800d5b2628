/**
 * Beam search written down as Hugging Face transformers 4.27.1 has it, for one item: whole sequences, whole
 * vocabularies, everything sorted, nothing shared with src/generation. Slow on purpose.
 * Sources: generation/utils.py (beam_search, _get_logits_processor), generation/beam_search.py (BeamSearchScorer,
 * BeamHypotheses), generation/logits_process.py.
 */
import type { GenerationSettings, TokenIds } from '../../src/generation/options.ts'
import type { Model } from './fake-decoder.ts'

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

interface Hypothesis {
  score: number
  ids: number[]
  ended: boolean
}

export interface NaiveSequence {
  readonly tokens: number[]
  readonly score: number
  readonly finishReason: 'eos' | 'length'
}

export function naiveBeamSearch(
  model: Model,
  itemSeed: number,
  s: GenerationSettings,
  ids: TokenIds,
): { sequences: NaiveSequence[]; steps: number } {
  const numBeams = s.numBeams
  const maxLength = s.maxNewTokens + 1
  let inputIds: number[][] = Array.from({ length: numBeams }, () => [ids.startTokenId])
  let beamScores: number[] = inputIds.map((_, i) => (i === 0 ? 0 : -1e9))
  let hyps: Hypothesis[] = []
  let worstScore = 1e9
  let done = false
  let steps = 0

  const add = (hyp: number[], sumLogprobs: number, ended: boolean): void => {
    const score = sumLogprobs / hyp.length ** s.lengthPenalty
    if (hyps.length < numBeams || score > worstScore) {
      hyps.push({ score, ids: hyp, ended })
      if (hyps.length > numBeams) {
        const sorted = hyps
          .map((h, idx) => ({ score: h.score, idx }))
          .sort((a, b) => a.score - b.score || a.idx - b.idx)
        hyps = hyps.filter((_, idx) => idx !== sorted[0]!.idx)
        worstScore = sorted[1]!.score
      } else worstScore = Math.min(score, worstScore)
    }
  }

  while (!done && inputIds[0]!.length < maxLength) {
    steps++
    const candidates = inputIds.flatMap((sequence, beam) => {
      const logits = model(itemSeed, sequence.slice(1))
      const scores = naiveProcess(naiveLogSoftmax([...logits]), sequence, s, ids)
      return scores.map((score, token) => ({ score: f32(score + beamScores[beam]!), beam, token }))
    })
    // A stable sort: equal scores in the order beam · vocabulary + token.
    const top = candidates.sort((a, b) => (a.score === b.score ? 0 : b.score - a.score))
    const spare = top.slice(0, (1 + ids.eosTokenIds.length) * numBeams)
    const next: typeof spare = []
    for (const [rank, candidate] of spare.entries()) {
      if (ids.eosTokenIds.includes(candidate.token)) {
        if (rank >= numBeams) continue
        add(inputIds[candidate.beam]!, candidate.score, true)
      } else next.push(candidate)
      if (next.length === numBeams) break
    }
    const curLen = inputIds[0]!.length + 1
    if (hyps.length >= numBeams) {
      if (s.earlyStopping === true) done = true
      else {
        const length = s.earlyStopping === 'never' && s.lengthPenalty > 0 ? maxLength : curLen
        done = worstScore >= spare[0]!.score / length ** s.lengthPenalty
      }
    }
    inputIds = next.map(({ beam, token }) => [...inputIds[beam]!, token])
    beamScores = next.map(({ score }) => score)
  }
  if (!done) for (const [beam, sequence] of inputIds.entries()) add(sequence, beamScores[beam]!, false)

  const sortedHyps = [...hyps].sort((a, b) => (a.score === b.score ? 0 : a.score - b.score))
  const sequences = Array.from({ length: s.numReturnSequences }, () => {
    const { ids: tokens, score, ended } = sortedHyps.pop()!
    return { tokens: tokens.slice(1), score, finishReason: ended ? ('eos' as const) : ('length' as const) }
  })
  return { sequences, steps }
}
