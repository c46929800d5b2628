/** What comes out of sources and streams. */
import type { PassOptions, Sample, Source } from '../../src/data/sample.ts'

export async function collect<T>(items: AsyncIterable<T>, most = Number.POSITIVE_INFINITY): Promise<T[]> {
  const found: T[] = []
  if (most === 0) return found
  for await (const item of items) if (found.push(item) === most) break
  return found
}

/** The keys of a pass, in its order. */
export async function passKeys(source: Source, number: number, options: Partial<PassOptions> = {}): Promise<string[]> {
  const samples = await collect(source.pass(number, { seed: 1, skip: 0, ...options }))
  return samples.map(({ key }) => key)
}

/** Samples a0, a1, … without images. */
export function textSamples(name: string, count: number): Sample[] {
  return Array.from({ length: count }, (_, i) => ({ key: `${name}${i}`, texts: [`text ${i}`] }))
}
