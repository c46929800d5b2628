/** What is done at a checkpoint: validation, the state, the report. */
import { join } from 'node:path'
import { writeAtomically } from '../checkpoints/node-write.ts'
import type { Device, Variables } from '../runtime/device.ts'
import type { Example, ValidationLine } from './log.ts'
import { validationBatches } from './node-batches.ts'
import { openRun, pruneRuns, saveRun } from './node-checkpoints.ts'
import { captionExamples } from './node-examples.ts'
import type { Graphs } from './node-graphs.ts'
import type { RunLog } from './node-run-log.ts'
import type { Setup } from './node-setup.ts'
import { momentTensors, weightTensors } from './node-variables.ts'
import type { Facts } from './plan.ts'
import type { Recipe } from './recipe.ts'
import { trainingReport } from './report.ts'

export interface KeeperOptions {
  readonly recipe: Recipe
  readonly setup: Setup
  readonly graphs: Graphs
  readonly variables: Variables
  readonly device: Device
  readonly log: RunLog
  readonly output: string
  /** Folder of the states. */
  readonly states: string
  readonly identity: string
  readonly facts: Facts
}

export interface Keeper {
  /** Saves the state after `step` updates, `next` samples of the stream taken; with validation unless time presses. */
  save(step: number, next: number, validate: boolean): Promise<void>
}

export function openKeeper(options: KeeperOptions): Keeper {
  const { recipe, variables, log, output, states, identity, facts } = options
  let batches: ReturnType<typeof validationBatches> | undefined

  async function validationLosses(): Promise<Record<string, number> | undefined> {
    batches ??= validationBatches(options, recipe.validation_batches)
    const found = await batches
    if (found.length === 0) return undefined
    const sums: Record<string, number> = {}
    for (const { feeds } of found)
      for (const [name, loss] of Object.entries(await options.graphs.evaluate(feeds, variables)))
        sums[name] = (sums[name] ?? 0) + loss / found.length
    return sums
  }

  return {
    async save(step, next, validate) {
      const losses = validate ? await validationLosses() : undefined
      const state = { step, next, identity, validation_loss: losses?.loss ?? null }
      const tensors = { weights: weightTensors(variables), moments: momentTensors(variables) }
      const folder = await saveRun(states, state, tensors)
      await pruneRuns(states, recipe.checkpoints.keep)
      if (losses && batches) {
        const { loss = Number.NaN, ...parts } = losses
        const examples: readonly Example[] = await captionExamples(options, await openRun(folder), await batches)
        const line: ValidationLine = { kind: 'validation', step, loss, parts, examples }
        await log.append(line)
      }
      const title = `${recipe.objective}, step ${step} of ${recipe.steps}`
      await writeAtomically(join(output, 'report.html'), [trainingReport({ title, facts, lines: log.lines })])
    },
  }
}
