/** Sets that fit in a list: everything but the images is in memory. */
import { randomFor } from '../random.ts'
import type { Sample, Source } from './sample.ts'

/** A source that goes through a list in another order at each pass. */
export function listSource(name: string, samples: readonly Sample[]): Source {
  return {
    name,
    size: async () => samples.length,
    async *pass(number, { seed, skip }) {
      const order = shuffled(samples.length, `${seed}:${name}:${number}`)
      for (let i = skip; i < order.length; i++) yield samples[order[i] as number] as Sample
    },
  }
}

/** 0 … count - 1 in an order that the text decides (Fisher and Yates). */
export function shuffled(count: number, text: string): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const random = randomFor(text)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const swapped = order[i] as number
    order[i] = order[j] as number
    order[j] = swapped
  }
  return order
}
