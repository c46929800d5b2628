/** What a run measures of itself between two lines of its log. */
import type { StepLine } from './log.ts'

export interface Meter {
  /** Counts the time until the promise is kept as waiting for data. */
  waiting<T>(promise: Promise<T>): Promise<T>
  /** Adds the losses of a part of a batch. */
  losses(losses: Readonly<Record<string, number>>, samples: number): void
  /** Ends a step; every `every`-th returns the line. */
  step(step: number, learningRate: number, gradientNorm: number): StepLine | undefined
}

export interface MeterOptions {
  readonly every: number
  /** Seconds that earlier parts of the run took. */
  readonly secondsBefore: number
  /** Milliseconds, rising. */
  readonly now: () => number
  /** Bytes. */
  readonly memory: () => number
}

export function createMeter({ every, secondsBefore, now, memory }: MeterOptions): Meter {
  const begun = now()
  let since = begun
  let waited = 0
  let samples = 0
  let parts = 0
  let norms = 0
  let steps = 0
  let sums: Record<string, number> = {}
  return {
    async waiting(promise) {
      const from = now()
      try {
        return await promise
      } finally {
        waited += now() - from
      }
    },
    losses(losses, count) {
      for (const [name, loss] of Object.entries(losses)) sums[name] = (sums[name] ?? 0) + loss
      samples += count
      parts++
    },
    step(step, learning_rate, gradientNorm) {
      norms += gradientNorm
      steps++
      if (step % every !== 0) return undefined
      const elapsed = now() - since
      const { loss = Number.NaN, ...rest } = Object.fromEntries(
        Object.entries(sums).map(([name, sum]) => [name, sum / parts]),
      )
      const line: StepLine = {
        kind: 'step',
        step,
        loss,
        parts: rest,
        learning_rate,
        gradient_norm: norms / steps,
        samples_per_second: (1000 * samples) / elapsed,
        waiting: waited / elapsed,
        memory: memory(),
        seconds: secondsBefore + (now() - begun) / 1000,
      }
      since = now()
      waited = 0
      samples = 0
      parts = 0
      norms = 0
      steps = 0
      sums = {}
      return line
    },
  }
}
