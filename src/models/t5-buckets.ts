export interface BucketOptions {
  /** The encoder tells later from earlier keys; the decoder sees earlier ones only. */
  readonly bidirectional: boolean
  readonly buckets: number
  /** Distance (tokens) from which on everything falls into the last bucket. */
  readonly limit: number
}

/**
 * Bucket of the distance key − query: exact for near keys, logarithmic up to `limit` (Raffel et al. 2020, section 2.1).
 * In float32 like T5Attention._relative_position_bucket, transformers 4.27.1: it decides on which side a boundary falls.
 */
export function relativePositionBucket(distance: number, options: BucketOptions): number {
  const half = options.bidirectional ? Math.floor(options.buckets / 2) : options.buckets
  const offset = options.bidirectional && distance > 0 ? half : 0
  const away = options.bidirectional ? Math.abs(distance) : Math.max(-distance, 0)
  const exact = Math.floor(half / 2)
  if (away < exact) return offset + away
  const { fround, log, trunc } = Math
  const ratio = fround(log(fround(away / exact)))
  const step = trunc(fround(fround(ratio / log(options.limit / exact)) * (half - exact)))
  return offset + Math.min(exact + step, half - 1)
}
