import { numbers, type Tensor } from '../support/tensors.ts'
import type { Check } from './report.ts'

export type Named = Readonly<Record<string, Tensor>>

/** Infinity when one is missing or the shapes differ; NaN when there is a NaN in either. */
export function largestDifference(found: Tensor | undefined, expected: Tensor | undefined): number {
  if (!found || !expected || found.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY
  const [actual, wanted] = [numbers(found), numbers(expected)]
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0)
}

/** One check for every name that either side has. */
export function compareAll(
  { folder, variant }: Pick<Check, 'folder' | 'variant'>,
  found: Named,
  expected: Named,
  tolerance: (name: string) => number,
): Check[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])]
  return names.map((name) => ({
    folder,
    variant,
    name,
    difference: largestDifference(found[name], expected[name]),
    tolerance: tolerance(name),
  }))
}

/**
 * Ten times the difference between the reference's own float32 and float64 runs, where its cases.json says it; else what its
 * README expects: 5e-5 for logits, 1e-5 for hidden states and losses.
 */
export function tolerances(facts: Readonly<Record<string, unknown>>): (name: string) => number {
  const rounding = (facts.max_abs_diff_float32_vs_float64 ?? {}) as Readonly<Record<string, number>>
  return (name) => {
    const measured = rounding[name]
    if (measured !== undefined) return 10 * measured
    return /(logits|step_scores)$/.test(name) ? 5e-5 : 1e-5
  }
}
