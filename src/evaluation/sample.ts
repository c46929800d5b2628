import type { Id } from '../metrics/json.ts'

/** One image to caption, or one question about an image. */
export interface Sample {
  readonly id: Id
  /** Below the data folder. */
  readonly image: string
  readonly question?: string
  /** What people said; nothing where that is not public. */
  readonly references: readonly string[]
}

/** By sample. */
export type Predictions = ReadonlyMap<Id, string>

export interface Scores {
  /** Metric → value on the scale that papers print (percent, CIDEr times 100). */
  readonly measured: Readonly<Record<string, number>>
  /** The main metric within each type of question that the files tell apart. */
  readonly perType?: Readonly<Record<string, number>>
  /** Higher is better. */
  readonly bySample: ReadonlyMap<Id, number>
  /** How the score of a sample is written: `CIDEr 84.2`. */
  shown(score: number): string
}

/** A benchmark's data, and what is done with predictions about it. */
export interface Dataset {
  /** In the order of the files. */
  readonly samples: readonly Sample[]
  /** The official file of results, for the samples that have a prediction. */
  results(samples: readonly Sample[], predictions: Predictions): readonly object[]
  /** Of samples that all have a prediction, at least one. Undefined where the answers are not public. */
  readonly score?: (samples: readonly Sample[], predictions: Predictions) => Scores
}
