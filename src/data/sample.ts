/** What training sets are made of, before anything is decoded. */
import type { DataError } from '../errors.ts'

export interface Sample {
  /** Names the sample in messages and caches: the same in every pass, and no other's. Begins with the set as the recipe names it. */
  readonly key: string
  /** An image file or its bytes; absent in sets of texts. */
  readonly image?: string | Uint8Array
  /** Names the image: samples that show the same one have it in common. */
  readonly imageKey?: string
  /** Captions, texts, or the answers to `question`, of which each use draws one (an answer given twice counts twice). */
  readonly texts: readonly string[]
  readonly question?: string
  /** Why the sample is to be left out. It may have no texts then. */
  readonly error?: DataError
}

/** Samples in an order that depends on seed and pass only. */
export interface Source {
  readonly name: string
  /** Samples of a pass. Counting shards reads them, so it ends behind `enough` samples: a result that is larger may not be all. */
  size(enough?: number, signal?: AbortSignal): Promise<number>
  /** All samples once, but the first `skip` of them. An abort throws the signal's reason. */
  pass(number: number, options: PassOptions): AsyncIterable<Sample>
}

export interface PassOptions {
  readonly seed: number
  readonly skip: number
  readonly signal?: AbortSignal | undefined
}
