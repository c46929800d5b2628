/** What training sets are made of, before anything is decoded. */

export interface Sample {
  /** Names the sample in messages and caches: unique in its source and the same in every pass. */
  readonly key: string
  /** An image file or its bytes; absent in sets of texts. */
  readonly image?: string | Uint8Array
  /** Which image it is, where several samples may show the same one. */
  readonly imageId?: number
  /** Captions, texts, or the answers to `question`, of which each use draws one (an answer given twice counts twice). */
  readonly texts: readonly string[]
  readonly question?: string
}

/** Samples in an order that depends on seed and pass only. */
export interface Source {
  readonly name: string
  /** Samples of a pass. Counting shards reads them once. */
  size(): Promise<number>
  /** All samples once. The first `skip` of them are passed over, which is cheaper than reading them. */
  pass(number: number, options: { readonly seed: number; readonly skip: number }): AsyncIterable<Sample>
}
