/** A training run: batches in, checkpoints, log, report and a model out. Killed at any moment, it goes on as if it had not been. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ConfigError, SessionError } from '../errors.ts'
import { learningRate, type Schedule } from '../optim/schedule.ts'
import type { Variables } from '../runtime/device.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import type { StepLine } from './log.ts'
import { createMeter } from './meter.ts'
import { type Batches, openBatches } from './node-batches.ts'
import { lastRun, type SavedRun } from './node-checkpoints.ts'
import { writeModel } from './node-finish.ts'
import { buildGraphs, type Graphs } from './node-graphs.ts'
import { type Keeper, openKeeper } from './node-keeper.ts'
import { openRunLog, type RunLog } from './node-run-log.ts'
import { identityOf, setUp } from './node-setup.ts'
import { beginVariables, weightTensors } from './node-variables.ts'
import { type Facts, planFacts } from './plan.ts'
import type { Recipe } from './recipe.ts'

export interface TrainOptions extends Pick<DeviceOptions, 'threads'> {
  /** Folder of the recipe's file, from which its paths start. */
  readonly folder: string
  /** Go on with the run that the output folder holds. */
  readonly resume?: boolean
  readonly onPlan?: (facts: Facts) => void
  /** Told of every step; of every `log_every`-th with the line of the log. */
  readonly onStep?: (step: number, line: StepLine | undefined) => void
  readonly onNote?: (text: string) => void
  /** An abort saves a state after the step at work, and rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Trains as the recipe says and returns the folder of the finished model. Throws our errors, or the signal's reason. */
export async function train(recipe: Recipe, options: TrainOptions): Promise<string> {
  const output = resolve(recipe.output)
  const states = join(output, 'checkpoints')
  const saved = await lastRun(states)
  if (saved && !options.resume)
    throw new ConfigError(
      `output: ${output} holds a run of ${saved.step} steps; go on with --resume, or choose another folder`,
    )
  const setup = await setUp(recipe, options.folder, options.signal)
  const identity = identityOf(recipe, setup)
  if (saved && saved.identity !== identity)
    throw new ConfigError(`${saved.folder}: made by another recipe, or from other weights; choose another output`)
  await mkdir(states, { recursive: true })

  const device = await openDevice(options)
  let batches: Batches | undefined
  try {
    const graphs = buildGraphs(device, setup.config, setup.objective, setup.weights)
    const { variables, freshParameters } = await beginVariables(device, recipe, setup, graphs, saved)
    const facts = planFacts(recipe, graphs, freshParameters)
    options.onPlan?.(facts)
    const log = await openRunLog(output, saved?.step ?? 0)
    batches = await openBatches({ recipe, setup, graphs, output, from: saved?.next ?? 0 }, (key, reason) => {
      options.onNote?.(`left out: ${reason}`)
      return log.appendBad(key, reason)
    })
    const keeper = openKeeper({ recipe, setup, graphs, variables, device, log, output, states, identity, facts })
    await runSteps({ recipe, graphs, variables, batches, log, keeper, options }, saved)
    await writeModel(join(output, 'model'), {
      config: setup.finishedConfig,
      trained: weightTensors(variables),
      frozen: graphs.frozen,
      tokenizerFolder: setup.tokenizerFolder,
      metadata: { made_by: `blip2 train: ${recipe.objective}, ${recipe.steps} steps, seed ${recipe.seed}` },
    })
    return join(output, 'model')
  } finally {
    await batches?.close()
    await device.dispose()
  }
}

interface Run {
  readonly recipe: Recipe
  readonly graphs: Graphs
  readonly variables: Variables
  readonly batches: Batches
  readonly log: RunLog
  readonly keeper: Keeper
  readonly options: TrainOptions
}

/** All steps that are left, with what is told and saved between them. */
async function runSteps(run: Run, saved: SavedRun | undefined): Promise<void> {
  const { recipe, variables, batches, log, keeper, options } = run
  const meter = createMeter({
    every: recipe.log_every,
    secondsBefore: log.lines.findLast((line) => line.kind === 'step')?.seconds ?? 0,
    now: () => performance.now(),
    memory: () => process.memoryUsage().rss,
  })
  let last = saved?.step ?? 0
  for (let step = last; step < recipe.steps; step++) {
    const rate = learningRate(scheduleOf(recipe), step)
    for (let part = 0; part < recipe.accumulate; part++) {
      const batch = await meter.waiting(batches.next())
      const feeds = await batches.feeds(batch, `${recipe.seed}:${step}:${part}`)
      const losses = await run.graphs.train(feeds, variables)
      if (!Number.isFinite(losses.loss)) {
        const first = await run.graphs.firstNonFinite(feeds, variables)
        throw notFinite(
          step + 1,
          `the loss is ${losses.loss}; the first tensor that went bad is ${first ?? 'none of those with a name'}`,
          last,
        )
      }
      meter.losses(losses, batch.items.length)
    }
    const { gradientNorm, nonFinite } = await variables.update({ learningRate: rate, ...updateOptions(recipe) })
    if (nonFinite !== undefined) throw notFinite(step + 1, `the gradient of ${nonFinite} is not finite`, last)
    const line = meter.step(step + 1, rate, gradientNorm)
    if (line) await log.append(line)
    options.onStep?.(step + 1, line)
    const aborted = options.signal?.aborted === true
    if (aborted || (step + 1) % recipe.checkpoints.every === 0 || step + 1 === recipe.steps) {
      await keeper.save(step + 1, batches.taken, !aborted)
      last = step + 1
    }
    options.signal?.throwIfAborted()
  }
}

function updateOptions({ optimiser, accumulate }: Recipe) {
  const { beta1, beta2, eps, clip } = optimiser
  const betas: [number, number] = [beta1, beta2]
  return { betas, eps, gradientScale: 1 / accumulate, ...(clip !== undefined && { clipNorm: clip }) }
}

function notFinite(step: number, what: string, last: number): SessionError {
  const kept = last === 0 ? 'no state was saved before' : `the state of step ${last} is kept`
  return new SessionError(
    `step ${step}: ${what}; ${kept}: lower schedule.peak, lengthen the warm-up, or set optimiser.clip`,
  )
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
