/** What a run measures of itself between two lines of its log. */
import type { StepLine } from './log.ts'

/** What the next line will tell of, so far. It is saved with a state, so that a run that goes on tells what an unbroken one does. */
export interface MeterState {
  /** Since the run began, without the time between a stop and its resumption. */
  readonly seconds: number
  /** Milliseconds of computing since the last line, and of those the ones in which it waited for data. */
  readonly computing: number
  readonly waiting: number
  readonly samples: number
  readonly steps: number
  /** Parts of batches, and the sums of their losses. */
  readonly parts: number
  readonly losses: Readonly<Record<string, number>>
  /** Sum of the norms of the gradient. */
  readonly norms: number
}

export interface Meter {
  /** Counts the time until the promise is kept as waiting for data. */
  waiting<T>(promise: Promise<T>): Promise<T>
  /** Leaves the time until the promise is kept out of the speed: validation, a state that is written. */
  aside<T>(promise: Promise<T>): Promise<T>
  /** Adds the losses of a part of a batch. */
  losses(losses: Readonly<Record<string, number>>, samples: number): void
  /** Ends a step. */
  step(gradientNorm: number): void
  /** Means over the steps since the last line. */
  line(step: number, learningRate: number): StepLine
  /** Begins the next line. */
  begin(): void
  state(): MeterState
}

export interface MeterOptions {
  /** Of the state that the run goes on from. */
  readonly state?: MeterState | undefined
  /** Milliseconds, rising. */
  readonly now: () => number
  /** Bytes. */
  readonly memory: () => number
}

const nothing = { computing: 0, waiting: 0, samples: 0, steps: 0, parts: 0, losses: {}, norms: 0 }

export function createMeter({ state = { seconds: 0, ...nothing }, now, memory }: MeterOptions): Meter {
  const begun = now() - 1000 * state.seconds
  let since = now() - state.computing
  let sums: Omit<MeterState, 'seconds' | 'computing'> = state
  const timed = async <T>(promise: Promise<T>, count: (milliseconds: number) => void): Promise<T> => {
    const from = now()
    try {
      return await promise
    } finally {
      count(now() - from)
    }
  }
  const seconds = () => (now() - begun) / 1000
  return {
    waiting: (promise) =>
      timed(promise, (milliseconds) => {
        sums = { ...sums, waiting: sums.waiting + milliseconds }
      }),
    aside: (promise) =>
      timed(promise, (milliseconds) => {
        since += milliseconds
      }),
    losses(losses, samples) {
      const added = Object.entries(losses).map(([name, loss]) => [name, (sums.losses[name] ?? 0) + loss])
      sums = {
        ...sums,
        losses: Object.fromEntries(added),
        samples: sums.samples + samples,
        parts: sums.parts + 1,
      }
    },
    step(gradientNorm) {
      sums = { ...sums, steps: sums.steps + 1, norms: sums.norms + gradientNorm }
    },
    line(step, learning_rate) {
      const computing = now() - since
      const means = Object.entries(sums.losses).map(([name, sum]) => [name, sum / sums.parts])
      const { loss = Number.NaN, ...parts } = Object.fromEntries(means) as Record<string, number>
      return {
        kind: 'step',
        step,
        loss,
        parts,
        learning_rate,
        gradient_norm: sums.norms / sums.steps,
        samples_per_second: (1000 * sums.samples) / computing,
        waiting: sums.waiting / computing,
        memory: memory(),
        seconds: seconds(),
      }
    },
    begin() {
      since = now()
      sums = nothing
    },
    state() {
      const { waiting, samples, steps, parts, losses, norms } = sums
      return { seconds: seconds(), computing: now() - since, waiting, samples, steps, parts, losses, norms }
    },
  }
}
