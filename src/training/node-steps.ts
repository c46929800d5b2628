/** The steps of a run, with what is told and saved between them. */
import { SessionError } from '../errors.ts'
import type { AdamWOptions } from '../optim/adamw.ts'
import { learningRate, type Schedule } from '../optim/schedule.ts'
import type { Variables } from '../runtime/device.ts'
import type { LogLine, StepLine } from './log.ts'
import type { Meter } from './meter.ts'
import type { Batches } from './node-batches.ts'
import type { Graphs } from './node-graphs.ts'
import type { Keeper } from './node-keeper.ts'
import type { RunLog } from './node-run-log.ts'
import type { Recipe } from './recipe.ts'

export interface Watcher {
  /** Told after every step of the means since the last line of the log. */
  readonly onStep?: (line: StepLine) => void
  /** Told before each part of a step that has several. */
  readonly onPart?: (step: number, part: number) => void
  /** Told of every line of the log. */
  readonly onLine?: (line: LogLine) => void
}

export interface Run extends Watcher {
  readonly recipe: Recipe
  readonly graphs: Graphs
  readonly variables: Variables
  readonly batches: Batches
  readonly meter: Meter
  readonly log: RunLog
  readonly keeper: Keeper
  readonly identity: string
  /** An abort saves a state after the step at work, and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** All steps behind the first `done`. Throws SessionError where a loss or a gradient is not finite; the last state is kept. */
export async function runSteps(run: Run, done: number): Promise<void> {
  const { recipe, batches, meter, log, keeper, signal } = run
  const saved = { step: done }
  for (let step = done + 1; step <= recipe.steps; step++) {
    signal?.throwIfAborted()
    const rate = learningRate(scheduleOf(recipe), step - 1)
    meter.step(await runStep(run, step, rate, saved.step))
    const line = meter.line(step, rate)
    run.onStep?.(line)
    if (step % recipe.log_every === 0) {
      meter.begin()
      await log.append(line)
      run.onLine?.(line)
      await meter.aside(keeper.show(step, batches.saved))
    }
    const due = step % recipe.checkpoints.every === 0 || step === recipe.steps
    if (!due && !signal?.aborted) continue
    const savings = batches.saved
    const moment = {
      step,
      next: batches.taken,
      identity: run.identity,
      meter: meter.state(),
      encoder_seconds: savings?.seconds ?? null,
    }
    await meter.aside(keeper.save(moment, { validate: due, savings }))
    saved.step = step
  }
}

/** Returns the norm of the gradient. */
async function runStep(run: Run, step: number, learningRate: number, saved: number): Promise<number> {
  const { recipe, graphs, variables, batches, meter } = run
  const refuse = (what: string) => {
    const kept = saved === 0 ? 'no state was saved before' : `the state of step ${saved} is kept`
    return new SessionError(
      `step ${step}: ${what}; ${kept}: lower schedule.peak, lengthen the warm-up, or set optimiser.clip`,
    )
  }
  for (let part = 0; part < recipe.accumulate; part++) {
    if (recipe.accumulate > 1) run.onPart?.(step, part + 1)
    const batch = await meter.waiting(batches.next())
    const feeds = await batches.feeds(batch, `${recipe.seed}:${step - 1}:${part}`)
    const losses = await graphs.train(feeds, variables)
    if (!Number.isFinite(losses.loss)) {
      const first = await graphs.firstNonFinite(feeds, variables)
      throw refuse(
        `the loss is ${losses.loss}; the first tensor that went bad is ${first ?? 'none of those with a name'}`,
      )
    }
    meter.losses(losses, batch.items.length)
  }
  const { gradientNorm, nonFinite } = await variables.update({ learningRate, ...updateOptions(recipe) })
  if (nonFinite !== undefined) throw refuse(`the gradient of ${nonFinite} is not finite`)
  return gradientNorm
}

function updateOptions({ optimiser, accumulate }: Recipe): Omit<AdamWOptions, 'learningRate'> {
  const { beta1, beta2, eps, clip } = optimiser
  return { betas: [beta1, beta2], eps, gradientScale: 1 / accumulate, ...(clip !== undefined && { clipNorm: clip }) }
}

function scheduleOf({ schedule, steps }: Recipe): Schedule {
  const { kind, peak, min, warmup_steps: warmupSteps, warmup_start: warmupStart } = schedule
  switch (kind) {
    case 'cosine':
      return { kind, peak, min, warmupSteps, warmupStart, steps }
    case 'lavis': {
      const stepsPerEpoch = schedule.steps_per_epoch as number
      return { kind, peak, min, warmupSteps, warmupStart, stepsPerEpoch, epochs: Math.ceil(steps / stepsPerEpoch) }
    }
  }
}
