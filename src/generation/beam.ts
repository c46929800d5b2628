/**
 * Beam search, equal to Hugging Face transformers 4.27.1 (generation/utils.py beam_search, generation/beam_search.py
 * BeamSearchScorer) run on each item alone. In a batch that version counts the length in its stopping test once per
 * unfinished item; here an item never depends on the others.
 */
import { type Decoder, firstRows, nextRows, type Rows } from './decoder.ts'
import { fullAndAtLeast, type Hypotheses, keep, ranked } from './hypotheses.ts'
import type { GenerationSettings, TokenIds } from './options.ts'
import { applyProcessors } from './processors.ts'
import { type GeneratedSequence, sequenceScore } from './sequence.ts'
import { logSoftmax } from './softmax.ts'
import { emptyTop, offerAll } from './top.ts'

/** An open continuation: the start token and the new tokens, their log-probability, the beam it came from. */
interface Beam {
  readonly history: readonly number[]
  readonly logProbability: number
  readonly parent: number
}

/** A beam continued by a token; `logProbability` includes the token's. */
interface Candidate {
  readonly parent: number
  readonly token: number
  readonly logProbability: number
}

/** The search of one item; its beams stay as they were when it was done. */
interface ItemSearch {
  beams: readonly Beam[]
  readonly finished: Hypotheses
  done: boolean
}

/** numReturnSequences sequences per item, best first. */
export async function beamSearch(
  decoder: Decoder,
  settings: GenerationSettings,
  ids: TokenIds,
  signal?: AbortSignal,
): Promise<GeneratedSequence[][]> {
  const searches = Array.from({ length: decoder.items }, () => startSearch(settings.numBeams, ids.startTokenId))
  const scratch = new Float32Array(decoder.vocabSize)
  let rows = await firstRows(decoder, signal)
  for (let step = 1; ; step++) {
    for (const [item, search] of searches.entries()) {
      if (search.done) continue
      advance(search, bestCandidates(search.beams, item, rows, scratch, settings, ids), settings, ids)
    }
    if (step === settings.maxNewTokens || searches.every((search) => search.done)) break
    rows = await nextRows(decoder, ...leaves(searches, step, settings.numBeams, ids.padTokenId), signal)
  }
  return searches.map((search) => results(search, settings))
}

/** All beams begin at the prefix; all but the first are so unlikely that they matter only if too few tokens are allowed. */
function startSearch(numBeams: number, startTokenId: number): ItemSearch {
  const beams = Array.from({ length: numBeams }, (_, beam) => ({
    history: [startTokenId],
    logProbability: beam === 0 ? 0 : -1e9,
    parent: 0,
  }))
  return { beams, finished: { capacity: numBeams, kept: [] }, done: false }
}

/**
 * The best continuations of an item's beams, best first. numBeams of them, and as many again for each end-of-sequence
 * token, so that numBeams remain when all of those end. `scratch` is (vocabSize) for any use.
 */
function bestCandidates(
  beams: readonly Beam[],
  item: number,
  rows: Rows,
  scratch: Float32Array,
  settings: GenerationSettings,
  ids: TokenIds,
): Candidate[] {
  const vocabSize = scratch.length
  const best = emptyTop(beams.length * (1 + ids.eosTokenIds.length))
  for (const [beam, { history, logProbability }] of beams.entries()) {
    scratch.set(rows(item, beam))
    logSoftmax(scratch)
    applyProcessors(scratch, history, settings, ids)
    offerAll(best, scratch, logProbability, beam * vocabSize)
  }
  return Array.from(best.indices.subarray(0, best.size), (index, rank) => ({
    parent: Math.floor(index / vocabSize),
    token: index % vocabSize,
    logProbability: best.scores[rank]!,
  }))
}

/** Turns candidates into finished sequences and the next beams, then tests whether the item is done. */
function advance(
  search: ItemSearch,
  candidates: readonly Candidate[],
  settings: GenerationSettings,
  ids: TokenIds,
): void {
  const { beams, finished } = search
  const next: Beam[] = []
  for (const [rank, { parent, token, logProbability }] of candidates.entries()) {
    const { history } = beams[parent]!
    if (!ids.eosTokenIds.includes(token)) next.push({ history: [...history, token], logProbability, parent })
    else if (rank < settings.numBeams) keep(finished, sequence(history, logProbability, 'eos', settings))
    if (next.length === settings.numBeams) break
  }
  search.beams = next
  search.done = isDone(finished, candidates[0]!.logProbability, next[0]!.history.length - 1, settings)
}

/** Whether the open beams can be given up; `best` is the log-probability of the best candidate with `newTokens` tokens. */
function isDone(finished: Hypotheses, best: number, newTokens: number, settings: GenerationSettings): boolean {
  const { earlyStopping, lengthPenalty, maxNewTokens } = settings
  if (earlyStopping === true) return fullAndAtLeast(finished, Number.NEGATIVE_INFINITY)
  const length = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : newTokens
  return fullAndAtLeast(finished, sequenceScore(best, length, lengthPenalty))
}

/** The tokens and parents (items, branches) of the next step. */
function leaves(
  searches: readonly ItemSearch[],
  step: number,
  numBeams: number,
  padTokenId: number,
): [tokens: Int32Array, parents: Int32Array] {
  const tokens = new Int32Array(searches.length * numBeams)
  const parents = new Int32Array(searches.length * numBeams)
  for (const [item, { beams, done }] of searches.entries()) {
    for (const [beam, { history, parent }] of beams.entries()) {
      const leaf = item * numBeams + beam
      tokens[leaf] = done ? padTokenId : history.at(-1)!
      parents[leaf] = step === 1 ? 0 : done ? beam : parent
    }
  }
  return [tokens, parents]
}

/** The best sequences; the beams of an item that ran out of places are sequences too. */
function results({ beams, finished, done }: ItemSearch, settings: GenerationSettings): GeneratedSequence[] {
  if (!done) {
    for (const { history, logProbability } of beams) {
      keep(finished, sequence(history, logProbability, 'length', settings))
    }
  }
  return ranked(finished).slice(0, settings.numReturnSequences)
}

function sequence(
  history: readonly number[],
  logProbability: number,
  finishReason: GeneratedSequence['finishReason'],
  settings: GenerationSettings,
): GeneratedSequence {
  const tokens = history.slice(1)
  return { tokens, score: sequenceScore(logProbability, tokens.length, settings.lengthPenalty), finishReason }
}
