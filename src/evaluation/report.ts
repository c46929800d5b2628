/** What a run found, as report.json has it and report.html shows it. */
import type { FoundConfig } from './node-configs.ts'
import type { FileDigest } from './node-fingerprint.ts'
import type { Versions } from './node-package.ts'
import type { Plan } from './plan.ts'

export interface ScoreRow {
  readonly metric: string
  /** On the scale of papers; null for what was published but is not measured here. */
  readonly measured: number | null
  readonly published: number | null
  /** Measured less published; null as well where the scores are of a part of the data. */
  readonly difference: number | null
}

export interface Report {
  readonly benchmark: string
  readonly title: string
  readonly split: string
  readonly preset: string
  /** About the preset. */
  readonly note?: string
  readonly model: string
  /** Whether the answers are public: without them nothing is measured. */
  readonly scorable: boolean
  readonly scores: readonly ScoreRow[]
  /** Questions only: the first score within each of their types. */
  readonly perType?: Readonly<Record<string, number>>
  /** Whose published numbers these are, and where they stand. */
  readonly source?: string
  /** Of the data, of this run, and with a prediction. */
  readonly samples: { readonly all: number; readonly asked: number; readonly scored: number }
  /** Why the scores cannot be compared with others; empty if they can. */
  readonly partial: readonly string[]
  readonly unreadable: readonly { readonly image: string; readonly reason: string }[]
  readonly settings: Readonly<Record<string, unknown>>
  readonly versions: Versions
  readonly files: {
    readonly configuration: string
    readonly annotations: readonly FileDigest[]
    readonly model: readonly FileDigest[]
  }
  /** Of this run, without loading the model; what an earlier one had computed cost nothing. */
  readonly seconds: number
  /** When it was written, ISO 8601. */
  readonly written: string
}

export interface Findings
  extends Pick<Report, 'model' | 'samples' | 'unreadable' | 'settings' | 'versions' | 'seconds'> {
  /** Undefined where the answers are not public. */
  readonly measured: Readonly<Record<string, number>> | undefined
  readonly perType?: Report['perType'] | undefined
  readonly annotations: readonly FileDigest[]
  readonly modelFiles: readonly FileDigest[]
}

export function makeReport({ name, benchmark, sha256 }: FoundConfig, plan: Plan, findings: Findings): Report {
  const { model, samples, unreadable, settings, versions, seconds, measured, perType } = findings
  const { note } = benchmark.presets[plan.preset]!
  const { all, asked, scored } = samples
  const partial = [
    ...(asked < all ? [`the first ${count(asked)} of ${count(all)} were asked`] : []),
    ...(scored < asked ? [`${count(asked - scored)} could not be, because their image cannot be read`] : []),
  ]
  return {
    benchmark: name,
    title: benchmark.title,
    split: plan.split,
    preset: plan.preset,
    ...(note !== undefined && { note }),
    model,
    scorable: measured !== undefined,
    scores: compare(measured ?? {}, plan.row?.published[plan.split] ?? {}, partial.length > 0),
    ...(perType && Object.keys(perType).length > 0 && { perType }),
    ...(plan.row && { source: `${plan.row.name}, ${plan.row.source}` }),
    samples,
    partial,
    unreadable: unique(unreadable),
    settings,
    versions,
    files: { configuration: sha256, annotations: findings.annotations, model: findings.modelFiles },
    seconds,
    written: new Date().toISOString(),
  }
}

/** The published metrics first, in their order. */
function compare(
  measured: Readonly<Record<string, number>>,
  published: Readonly<Record<string, number>>,
  partial: boolean,
): ScoreRow[] {
  const metrics = Object.keys({ ...published, ...measured })
  return metrics.map((metric) => {
    const [ours, theirs] = [measured[metric] ?? null, published[metric] ?? null]
    return {
      metric,
      measured: ours,
      published: theirs,
      difference: ours === null || theirs === null || partial ? null : ours - theirs,
    }
  })
}

/** An image that several samples ask about once. */
function unique(unreadable: Findings['unreadable']): Report['unreadable'] {
  return [...new Map(unreadable.map(({ image, reason }) => [image, { image, reason }])).values()]
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
