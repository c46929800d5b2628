import { uniform } from '../generation/random.ts'
import type { Id } from '../metrics/json.ts'
import type { Sample } from './sample.ts'

export interface ExampleGroup {
  readonly title: 'All' | 'Worst' | 'Best' | 'Random'
  readonly samples: readonly Sample[]
}

/**
 * Samples to look at: drawn at random, by a fixed seed, and those with the lowest and the highest scores where there are scores. Of
 * samples with the same score the same draw decides, so that it is not always the beginning of the file that is shown. Few samples
 * are all shown, the worst first.
 */
export function chooseExamples(
  samples: readonly Sample[],
  scores: ReadonlyMap<Id, number> | undefined,
  count = 12,
): ExampleGroup[] {
  const drawn = samples
    .map((sample, i) => ({ sample, draw: uniform(SEED, 0, i) }))
    .sort((a, b) => a.draw - b.draw)
    .map(({ sample }) => sample)
  const scoreOf = ({ id }: Sample) => scores?.get(id) ?? 0
  const ascending = drawn.toSorted((a, b) => scoreOf(a) - scoreOf(b))
  if (samples.length <= count) return [{ title: 'All', samples: ascending }]
  const random: ExampleGroup = { title: 'Random', samples: drawn.slice(0, count) }
  if (scores === undefined) return [random]
  return [
    { title: 'Worst', samples: ascending.slice(0, count) },
    { title: 'Best', samples: ascending.toReversed().slice(0, count) },
    random,
  ]
}

const SEED = 42
