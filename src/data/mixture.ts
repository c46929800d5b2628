/** Several sources as one endless stream, each as often as its weight says. */
import { DataError } from '../errors.ts'
import { randomFor } from '../random.ts'
import type { Sample, Source } from './sample.ts'

export interface Weighted {
  readonly source: Source
  /** Share of the samples, in proportion to the other weights. */
  readonly weight: number
}

/** A sample and its place in the stream. */
export interface Drawn {
  readonly sample: Sample
  /** 0, 1, 2, …: what is drawn for the sample (caption, view) depends on the seed and on this number. */
  readonly number: number
}

export interface StreamOptions {
  readonly seed: number
  /** Number of the first sample. The stream is the same one as if it had been read from 0. */
  readonly from: number
  readonly signal?: AbortSignal | undefined
}

/** Throws a DataError for a source without samples, or the signal's reason. */
export async function* mixture(parts: readonly Weighted[], options: StreamOptions): AsyncGenerator<Drawn, never> {
  const next = lots(parts, options.seed)
  const before = parts.map(() => 0)
  for (let number = 0; number < options.from; number++) before[next()]!++
  const readers = parts.map(({ source }, i) => endless(source, { ...options, from: before[i]! }))
  try {
    for (let number = options.from; ; number++) {
      const { value } = await readers[next()]!.next()
      yield { sample: value, number }
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.return(undefined as never)))
  }
}

/** Draws the part of one sample after the other. */
function lots(parts: readonly Weighted[], seed: number): () => number {
  if (parts.length === 1) return () => 0
  const total = parts.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  const ends = parts.slice(0, -1).map(({ weight }) => {
    sum += weight / total
    return sum
  })
  const random = randomFor(`${seed}:mixture`)
  return () => {
    const lot = random()
    const part = ends.findIndex((end) => lot < end)
    return part === -1 ? ends.length : part
  }
}

/** Pass after pass of one source, behind its first `from` samples. */
async function* endless(source: Source, { seed, from, signal }: StreamOptions): AsyncGenerator<Sample, never> {
  const size = from === 0 ? 0 : await source.size(from + 1, signal)
  let skip = size === 0 ? 0 : from % size
  for (let pass = size === 0 ? 0 : Math.floor(from / size); ; pass++) {
    let empty = skip === 0
    for await (const sample of source.pass(pass, { seed, skip, signal })) {
      empty = false
      yield sample
    }
    if (empty) throw new DataError(`${source.name}: there is no sample in it`)
    skip = 0
  }
}
