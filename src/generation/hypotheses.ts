/** The finished sequences of one item in beam search: Hugging Face transformers 4.27.1, BeamHypotheses. */
import { bestFirst, type GeneratedSequence } from './sequence.ts'

/** The best `capacity` sequences so far, in the order in which they were found. */
export interface Hypotheses {
  readonly capacity: number
  readonly kept: GeneratedSequence[]
}

/** Keeps a sequence if there is room or it scores better than the worst one, which then goes (of equals, the oldest). */
export function keep({ capacity, kept }: Hypotheses, sequence: GeneratedSequence): void {
  if (kept.length === capacity && !(sequence.score > worstScore(kept))) return
  kept.push(sequence)
  if (kept.length > capacity) kept.splice(kept.map(scoreOf).indexOf(worstScore(kept)), 1)
}

/** Whether there are enough sequences and the worst of them scores at least `score`. */
export function fullAndAtLeast({ capacity, kept }: Hypotheses, score: number): boolean {
  return kept.length === capacity && worstScore(kept) >= score
}

/** Best first; of equal scores the one found last comes first. */
export function ranked({ kept }: Hypotheses): GeneratedSequence[] {
  return bestFirst(kept.toReversed())
}

const scoreOf = (sequence: GeneratedSequence): number => sequence.score
const worstScore = (sequences: readonly GeneratedSequence[]): number => Math.min(...sequences.map(scoreOf))
