/**
 * Recall at 1, 5 and 10 of image-text retrieval: how often one of the right items is among the first k.
 *
 * Sources, which agree where no scores are equal: `RetrievalTask._report_metrics` of LAVIS (lavis/tasks/retrieval.py, 506965b) and
 * `RetrievalRecall` of mmpretrain (mmpretrain/evaluation/metrics/retrieval.py). Neither says in which order equal scores come
 * (an unstable sort, `torch.topk`), so here that is an option.
 */
import { DataError } from '../../errors.ts'

/** Scores of row items (queries) against column items, row by row. */
export interface ScoreMatrix {
  readonly rows: number
  readonly columns: number
  /** (rows, columns), higher is better. */
  readonly data: ArrayLike<number>
}

/**
 * Which of equally scored items comes first: the one with the lower or the higher index, a right one (`best`, the upper bound), or
 * a wrong one (`worst`, the lower bound).
 */
export const tieRules = ['low', 'high', 'best', 'worst'] as const
export type TieRule = (typeof tieRules)[number]

/** In percent of the rows. */
export interface Recall {
  readonly r1: number
  readonly r5: number
  readonly r10: number
}

/** `targets[row]` are the columns that are right for the row, at least one. */
export function recall(scores: ScoreMatrix, targets: readonly (readonly number[])[], ties: TieRule = 'low'): Recall {
  return recallOfRanks(targets.map((columns, row) => bestRank(scores, row, columns, ties)))
}

/** Of the place of the best right item in every row. */
export function recallOfRanks(ranks: readonly number[]): Recall {
  const within = (k: number) => (100 * ranks.filter((rank) => rank < k).length) / ranks.length
  return { r1: within(1), r5: within(5), r10: within(10) }
}

/** The place of the best right item in a row, from 0. */
export function bestRank(
  { data, columns }: ScoreMatrix,
  row: number,
  targets: readonly number[],
  ties: TieRule = 'low',
): number {
  const start = row * columns
  const top = Math.max(...targets.map((column) => data[start + column]!))
  const tops = targets.filter((column) => data[start + column] === top)
  const [lowest, highest] = [Math.min(...tops), Math.max(...tops)]
  let better = 0
  let equalBelow = 0
  let equalAbove = 0
  let equal = -tops.length
  for (let column = 0; column < columns; column++) {
    const score = data[start + column]!
    if (score > top) better++
    else if (score === top) {
      equal++
      if (column < lowest) equalBelow++
      if (column > highest) equalAbove++
    } else if (Number.isNaN(score))
      throw new DataError(`scores: row ${row}, column ${column}: expected a number, found NaN`)
  }
  return better + { low: equalBelow, high: equalAbove, best: 0, worst: equal }[ties]
}
