/** What is done at a checkpoint: validation, the state, examples, the report. */
import { join } from 'node:path'
import { writeAtomically } from '../checkpoints/node-write.ts'
import type { LogLine, ValidationLine } from './log.ts'
import { validationBatches } from './node-batches.ts'
import { bestRun, openRun, pruneRuns, type RunState, type SavedRun, saveRun, stepName } from './node-checkpoints.ts'
import { type ExamplesOptions, examplesOf } from './node-examples.ts'
import type { Savings } from './node-kept-features.ts'
import type { RunLog } from './node-run-log.ts'
import { momentTensors, weightTensors } from './node-variables.ts'
import type { Facts } from './plan.ts'
import { trainingReport } from './report.ts'

export interface KeeperOptions extends ExamplesOptions {
  readonly log: RunLog
  /** The run's folder, and that of its states. */
  readonly output: string
  readonly states: string
  readonly facts: Facts
  readonly onLine?: (line: LogLine) => void
}

/** A state but for what the keeper finds out itself. */
export type Moment = Omit<RunState, 'validation_loss'>

export interface Keeper {
  /** Saves a state; with validation unless time presses. `saved` is what the kept features have spared the encoder. */
  save(moment: Moment, options: { readonly validate: boolean; readonly savings: Savings | undefined }): Promise<void>
  /** Brings the report up to date, but not at every call. */
  show(step: number, savings: Savings | undefined): Promise<void>
  /** Does what a run that was killed behind this state did not come to do. */
  complete(saved: SavedRun): Promise<void>
}

/** Milliseconds between two reports that no checkpoint asks for. */
const reportInterval = 30_000

export function openKeeper(options: KeeperOptions): Keeper {
  const { recipe, graphs, variables, log, output, states } = options
  let batches: ReturnType<typeof validationBatches> | undefined
  /** When the report was written last. */
  let shown = performance.now()

  async function validationLosses(): Promise<Record<string, number> | undefined> {
    batches ??= validationBatches(options, recipe.validation_batches)
    const found = await batches
    if (found.length === 0) return undefined
    const sums: Record<string, number> = {}
    for (const { feeds } of found)
      for (const [name, loss] of Object.entries(await graphs.evaluate(feeds, variables)))
        sums[name] = (sums[name] ?? 0) + loss / found.length
    return sums
  }

  async function tellValidation(saved: SavedRun, losses: Readonly<Record<string, number>>): Promise<void> {
    const { loss = Number.NaN, ...parts } = losses
    const examples = await examplesOf(options, saved, (await batches) ?? [])
    const line: ValidationLine = { kind: 'validation', step: saved.step, loss, parts, examples }
    await log.append(line)
    options.onLine?.(line)
  }

  async function report(step: number, savings: Savings | undefined): Promise<void> {
    shown = performance.now()
    const best = await bestRun(states)
    const facts = {
      ...options.facts,
      ...(best && { 'best state': `${stepName(best.step)}, validation loss ${best.validation_loss.toPrecision(4)}` }),
      ...(savings && { 'kept features': savingsFact(savings, step * recipe.batch) }),
    }
    const title = `${recipe.objective}, step ${step} of ${recipe.steps}`
    await writeAtomically(join(output, 'report.html'), [trainingReport({ title, facts, lines: log.lines })])
  }

  return {
    async save(moment, { validate, savings }) {
      const losses = validate ? await validationLosses() : undefined
      const tensors = { weights: weightTensors(variables), moments: momentTensors(variables) }
      const folder = await saveRun(states, { ...moment, validation_loss: losses?.loss ?? null }, tensors)
      await pruneRuns(states, recipe.checkpoints.keep)
      if (losses) await tellValidation(await openRun(folder), losses)
      await report(moment.step, savings)
    },
    async show(step, savings) {
      if (performance.now() - shown > reportInterval) await report(step, savings)
    },
    async complete(saved) {
      await pruneRuns(states, recipe.checkpoints.keep)
      const told = log.lines.some(({ kind, step }) => kind === 'validation' && step === saved.step)
      if (saved.validation_loss === null || told) return
      const losses = await validationLosses()
      if (losses) await tellValidation(saved, losses)
      await report(saved.step, undefined)
    },
  }
}

/** `uses`: images that training took so far, of which each passed the encoder once. */
function savingsFact({ images, bytes, seconds }: Savings, uses: number): string {
  const spared = Math.max(0, uses - images)
  const saved = seconds === null ? 0 : spared * seconds
  const time =
    seconds === null
      ? ''
      : `; the encoder takes ${seconds.toPrecision(2)} s for one, so ${spared} further uses have saved ${saved < 120 ? `${saved.toPrecision(2)} s` : `${(saved / 60).toPrecision(2)} min`}`
  return `${images} images, ${(bytes / 1e9).toFixed(2)} GB${time}. Each image has one crop for good`
}
