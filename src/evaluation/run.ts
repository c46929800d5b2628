import type { RunFolder } from './node-run-folder.ts'
import type { Unreadable } from './predict.ts'
import type { Predictions, Sample, Scores } from './sample.ts'

/** One kind of benchmark on one model, ready to be computed. */
export interface Run {
  /** Everything that the scores depend on, for the report. */
  readonly settings: Readonly<Record<string, unknown>>
  /** What the kept part of the work depends on: a run with other values of these cannot go on with it. */
  readonly dependsOn: Readonly<Record<string, unknown>>
  /** Computes what the folder does not have yet. */
  compute(folder: RunFolder, options: ComputeOptions): Promise<Outcome>
}

export interface ComputeOptions {
  /** Samples that are computed together. */
  readonly batch: number
  /** Of the weights: other ones have another. */
  readonly model: string
  /** Told how far a step is, the first time before anything is done. */
  readonly onProgress?: (step: string, done: number, total: number) => void
  readonly signal?: AbortSignal
}

export interface Outcome {
  /** Those that have a prediction. */
  readonly scored: readonly Sample[]
  readonly predictions: Predictions
  /** The content of results.json. */
  readonly results: unknown
  /** Undefined where the answers are not public. */
  readonly scores: Scores | undefined
  readonly unreadable: readonly Unreadable[]
  /** Removes what is not needed once results and report are written. */
  readonly cleanUp?: () => Promise<void>
}
