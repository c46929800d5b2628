/** Seeded choices for the tests that compare thousands of cases. */
import { hash } from './fake-decoder.ts'

/** Picks the same elements for the same seed: `pick(list)` goes on from call to call. */
export function picker(seed: number): <T>(list: readonly T[]) => T {
  let calls = 0
  return (list) => list[hash(seed, calls++) % list.length]!
}
