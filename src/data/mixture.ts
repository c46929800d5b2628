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
  /** How often its source was gone through before. */
  readonly pass: number
}

/** The stream from sample number `from` on: the same one as if it had been read from the start. */
export async function* mixture(parts: readonly Weighted[], seed: number, from: number): AsyncGenerator<Drawn> {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0)
  /** Which part the sample with this number comes from. */
  const choose = (number: number): number => {
    if (parts.length === 1) return 0
    let left = total * randomFor(`${seed}:mixture:${number}`)()
    return Math.max(
      parts.findIndex(({ weight }) => {
        left -= weight
        return left < 0
      }),
      0,
    )
  }
  const counts = parts.map(() => 0)
  for (let number = 0; number < from; number++) counts[choose(number)]!++
  const readers = await Promise.all(parts.map(({ source }, i) => endless(source, seed, counts[i] as number)))
  for (let number = from; ; number++) {
    const { value } = await (readers[choose(number)] as AsyncGenerator<Omit<Drawn, 'number'>, never>).next()
    yield { ...value, number }
  }
}

/** Pass after pass of one source, behind its first `from` samples. */
async function endless(
  source: Source,
  seed: number,
  from: number,
): Promise<AsyncGenerator<Omit<Drawn, 'number'>, never>> {
  const size = from === 0 ? 0 : await source.size()
  async function* samples(): AsyncGenerator<Omit<Drawn, 'number'>, never> {
    let skip = from === 0 ? 0 : from % size
    for (let pass = from === 0 ? 0 : Math.floor(from / size); ; pass++) {
      let count = skip
      for await (const sample of source.pass(pass, { seed, skip })) {
        count++
        yield { sample, pass }
      }
      if (count === 0) throw new DataError(`${source.name}: there is no sample in it`)
      skip = 0
    }
  }
  return samples()
}
