/** What a comparison found, and how it is printed. */

/** One case: a computed result beside the reference's. */
export interface Check {
  readonly folder: string
  /** What it was computed with: `model.safetensors, inference`. */
  readonly variant: string
  readonly name: string
  /** Largest absolute difference (relative for scores, a count for tokens); not finite when there is nothing to compare. */
  readonly difference: number
  readonly tolerance: number
  /** Shown behind the line. */
  readonly note?: string
}

export interface Report {
  readonly checks: readonly Check[]
  /** Folders and cases of the tree that no comparison exists for. */
  readonly notCovered: readonly string[]
}

/** NaN does not pass. */
export function passes({ difference, tolerance }: Check): boolean {
  return difference <= tolerance
}

/** One aligned line per case. */
export function lines(checks: readonly Check[]): string[] {
  const rows = checks.map((check) => [
    check.folder,
    check.variant,
    check.name,
    shown(check.difference),
    shown(check.tolerance),
    passes(check) ? 'ok' : 'FAIL',
  ])
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)))
  return rows.map((row, i) => {
    const cells = row.map((cell, column) =>
      column === 3 || column === 4 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    )
    return [...cells, checks[i]!.note ?? ''].join('  ').trimEnd()
  })
}

/** `412 cases in 3 folders: all ok`, or how many failed. */
export function summary({ checks, notCovered }: Report): string {
  const failed = checks.filter((check) => !passes(check)).length
  const folders = new Set(checks.map((check) => check.folder)).size
  const verdict = failed === 0 ? 'all ok' : `${failed} FAILED`
  const rest = notCovered.length > 0 ? `; not covered yet: ${notCovered.join(', ')}` : ''
  return `${checks.length} cases in ${folders} folders: ${verdict}${rest}`
}

/** A tree without a single case is no success. */
export function succeeded({ checks }: Report): boolean {
  return checks.length > 0 && checks.every(passes)
}

/** What `work` finds; a failure, such as a missing file, is a case that fails. */
export async function attempt(folder: string, variant: string, work: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await work()
  } catch (error) {
    const note = error instanceof Error ? error.message : String(error)
    return [{ folder, variant, name: 'could not be computed', difference: Number.NaN, tolerance: 0, note }]
  }
}

const shown = (value: number): string => (Number.isInteger(value) ? String(value) : value.toExponential(2))
