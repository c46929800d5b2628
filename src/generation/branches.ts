/** Continuations that grow independently, one token at a time: the loop that greedy search and sampling share. */
import { ConfigError } from '../errors.ts'
import { type Decoder, firstRows, nextRows } from './decoder.ts'
import type { GenerationSettings, TokenIds } from './options.ts'
import { applyProcessors } from './processors.ts'
import { type GeneratedSequence, type StreamedToken, sequenceScore } from './sequence.ts'
import { logProbability, normaliserOf } from './softmax.ts'

/**
 * The next token of a sequence: `scores` are its processed logits (vocabSize), free to be changed; `step` counts new
 * tokens from 1. -1 if every token is banned.
 */
export type Choose = (scores: Float32Array, sequence: number, step: number) => number

/** One continuation. Its log-probability is the model's own, before penalties, temperature and filters. */
interface Branch {
  readonly history: number[]
  logProbability: number
  finishReason: GeneratedSequence['finishReason'] | undefined
}

/** Yields tokens as they are chosen; returns `sequences` sequences per item, numbered as they were yielded. */
export async function* growBranches(
  decoder: Decoder,
  sequences: number,
  choose: Choose,
  settings: GenerationSettings,
  ids: TokenIds,
  signal?: AbortSignal,
): AsyncGenerator<StreamedToken, GeneratedSequence[][], void> {
  const items = Array.from({ length: decoder.items }, () =>
    Array.from({ length: sequences }, () => startBranch(ids.startTokenId)),
  )
  const scratch = new Float32Array(decoder.vocabSize)
  let rows = await firstRows(decoder, signal)
  for (let step = 1; ; step++) {
    for (const [item, branches] of items.entries()) {
      for (const [sequence, branch] of branches.entries()) {
        if (branch.finishReason !== undefined) continue
        const row = rows(item, sequence)
        const normaliser = normaliserOf(row)
        scratch.set(row)
        applyProcessors(scratch, branch.history, settings, ids)
        const token = choose(scratch, sequence, step)
        if (token < 0) throw nothingAllowed(step, settings)
        branch.logProbability += logProbability(row[token]!, normaliser)
        if (ids.eosTokenIds.includes(token)) {
          branch.finishReason = 'eos'
          continue
        }
        branch.history.push(token)
        if (step === settings.maxNewTokens) branch.finishReason = 'length'
        yield { item, sequence, token }
      }
    }
    if (items.every((branches) => branches.every((branch) => branch.finishReason !== undefined))) break
    rows = await nextRows(decoder, ...leaves(items.flat(), sequences, step, ids.padTokenId), signal)
  }
  return items.map((branches) => branches.map((branch) => finished(branch, settings)))
}

const startBranch = (startTokenId: number): Branch => ({
  history: [startTokenId],
  logProbability: 0,
  finishReason: undefined,
})

/** The tokens and parents (items, branches) of the next step: each branch continues itself. */
function leaves(
  branches: readonly Branch[],
  sequences: number,
  step: number,
  padTokenId: number,
): [tokens: Int32Array, parents: Int32Array] {
  return [
    Int32Array.from(branches, ({ history, finishReason }) => (finishReason ? padTokenId : history.at(-1)!)),
    Int32Array.from(branches, (_, i) => (step === 1 ? 0 : i % sequences)),
  ]
}

function finished(branch: Branch, settings: GenerationSettings): GeneratedSequence {
  const tokens = branch.history.slice(1)
  return {
    tokens,
    score: sequenceScore(branch.logProbability, tokens.length, settings.lengthPenalty),
    finishReason: branch.finishReason!,
  }
}

function nothingAllowed(step: number, { noRepeatNgramSize, minNewTokens }: GenerationSettings): ConfigError {
  return new ConfigError(
    `generation: every token is banned for new token ${step}` +
      ` (noRepeatNgramSize ${noRepeatNgramSize}, minNewTokens ${minNewTokens}); use a larger n-gram or fewer tokens`,
  )
}
