import { table } from '../format.ts'

/** One line for each score. */
export function scoreLines(scores: readonly (readonly [string, number])[], digits: number): string {
  return table(
    scores.map(([name, score]) => [name, score.toFixed(digits)]),
    [1],
  )
}
