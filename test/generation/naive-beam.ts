/**
 * Beam search written down as Hugging Face transformers 4.27.1 has it, for one item: whole sequences, whole
 * vocabularies, everything sorted, nothing shared with src/generation. Slow on purpose.
 * Sources: generation/utils.py (beam_search), generation/beam_search.py (BeamSearchScorer,
 * BeamHypotheses).
 */
import type { GenerationSettings, TokenIds } from '../../src/generation/options.ts'
import type { Model } from './fake-decoder.ts'
import { naiveLogSoftmax, naiveProcess } from './naive-processors.ts'

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
      return scores.map((score, token) => ({ score: Math.fround(score + beamScores[beam]!), beam, token }))
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
