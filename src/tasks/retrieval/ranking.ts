/** Candidates and their matching logits → scores, best first. */
import type { MatchLogits } from './encoder.ts'
import type { Tops } from './tops.ts'

/** How a candidate is scored: `lavis` as released (ITM logit + ITC cosine), `paper` as written (ITM logit). */
export const scoreRules = ['lavis', 'paper'] as const
export type ScoreRule = (typeof scoreRules)[number]

/** The score of everything that is not a candidate. Source: LAVIS, `compute_sim_matrix`. */
export const scoreOfOthers = -100

/** The candidates of every query, best first; of equal scores the lower index first. All arrays are (queries, k). */
export interface Ranking {
  readonly k: number
  readonly indices: Int32Array
  /** Cosine, maximum over the queries of the Q-Former, in [-1, 1]. */
  readonly itc: Float32Array
  /** Probability of a match: softmax of the two logits, each the mean over the queries of the Q-Former. */
  readonly itm: Float32Array
  readonly score: Float32Array
}

/** The ranking of candidates that are not scored yet. */
export function unscored({ k, indices, scores }: Tops): Ranking {
  return { k, indices, itc: scores, itm: new Float32Array(scores.length), score: new Float32Array(scores.length) }
}

/** Scores the candidate at `slot`, with the logits at `at`. float32, as LAVIS adds them. */
export function setScore(ranking: Ranking, slot: number, logits: MatchLogits, at: number, rule: ScoreRule): void {
  const match = logits.match[at]!
  ranking.itm[slot] = 1 / (1 + Math.exp(logits.noMatch[at]! - match))
  ranking.score[slot] = rule === 'lavis' ? match + ranking.itc[slot]! : match
}

/** Puts the candidates of every query in the order of their scores. */
export function sortRanking({ k, indices, itc, itm, score }: Ranking): void {
  const columns = [indices, itc, itm, score]
  for (let start = 0; start < indices.length; start += k) {
    const before = columns.map((column) => column.slice(start, start + k))
    const [index, , , value] = before as [Int32Array, Float32Array, Float32Array, Float32Array]
    const order = Array.from(index.keys()).sort((a, b) => value[b]! - value[a]! || index[a]! - index[b]!)
    columns.forEach((column, i) => {
      order.forEach((from, to) => {
        column[start + to] = before[i]![from]!
      })
    })
  }
}
