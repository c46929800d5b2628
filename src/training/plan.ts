/** What a run will compute and need, told before it begins. */
import type { MachineMemory } from '../runtime/memory.ts'
import type { Shape } from './needed-weights.ts'
import type { Recipe } from './recipe.ts'

/** Name → what is to be said about it. */
export type Facts = Readonly<Record<string, string>>

export interface Plan {
  readonly facts: Facts
  /** There is a risk that the system runs out of memory: what to do about it. */
  readonly warning: string | undefined
}

export interface PlanInput {
  readonly recipe: Recipe
  /** Of the weights that train, and of the others. */
  readonly trained: readonly Shape[]
  readonly frozen: readonly Shape[]
  /** Of those that train the ones that are drawn, not read; undefined for a run that goes on from a state. */
  readonly fresh: readonly Shape[] | undefined
  /** Of the values that wait for the gradient while a part of a batch is computed, with texts of full length. */
  readonly keptBytes: number
  /** Of the features of one image, where they are kept. */
  readonly featureBytes: number | undefined
  readonly machine: MachineMemory
}

/**
 * Bytes that a run takes at most. For each trained parameter 20: value, gradient and two moments, and the gradient as it leaves the graph, all
 * float32. For each byte that waits for the gradient 2, or 5 where layers are computed again: 0.9 to 2.1, and 1.5 to 5.2, were measured
 * (`bench/training-memory.ts`), with what passes on the way back and the gaps that the allocator leaves.
 */
export function memoryNeeded(trained: number, keptBytes: number, recompute: boolean) {
  return { parameters: 20 * trained, values: (recompute ? 5 : 2) * keptBytes }
}

export function makePlan(input: PlanInput): Plan {
  const { recipe, featureBytes, machine } = input
  const fresh = input.fresh && parameters(input.fresh)
  const { batch, accumulate, recompute, steps, schedule, optimiser, data, checkpoints } = recipe
  const [trained, frozen] = [parameters(input.trained), parameters(input.frozen)]
  const needed = memoryNeeded(trained, input.keptBytes, recompute)
  const own = needed.parameters + needed.values
  const view = data.crop
    ? `random parts of ${data.crop.join(' to ')} of the area${data.mirror ? ', mirrored or not' : ''}`
    : data.mirror
      ? 'whole, mirrored or not'
      : 'whole'
  const facts = {
    objective: recipe.objective === 'stage1' ? `stage1 (${recipe.losses.join(', ')})` : recipe.objective,
    trained: `${millions(trained)} parameters${fresh === undefined ? '' : `, ${millions(fresh)} of them fresh`}`,
    frozen: `${millions(frozen)} parameters`,
    memory:
      `about ${amount(own)}: ${amount(needed.parameters)} for the trained parameters with gradients and moments, ` +
      `${amount(needed.values)} for intermediate values${recompute ? ' (inside of layers computed again)' : ''}; ${amount(4 * frozen)} of frozen ones read in place; ` +
      `${amount(machine.availableBytes)} of ${amount(machine.totalBytes)} available`,
    disk:
      `${amount(12 * trained)} a state, of which the last ${checkpoints.keep} and the best are kept; ${amount(4 * (trained + frozen))} for the model` +
      (featureBytes === undefined ? '' : `; ${amount(featureBytes)} for the features of an image`),
    steps: `${steps} of ${batch} samples${accumulate > 1 ? ` in ${accumulate} parts` : ''}`,
    'learning rate': `${schedule.kind}, ${schedule.warmup_steps} steps of warm-up to ${schedule.peak}, down to ${schedule.min}`,
    optimiser: `AdamW, betas ${optimiser.beta1} and ${optimiser.beta2}, weight decay ${optimiser.weight_decay}${optimiser.clip === undefined ? '' : `, gradients clipped to ${optimiser.clip}`}`,
    images:
      recipe.objective === 'language-model'
        ? 'none'
        : `${view}${data.cache_features ? ', one view of each for good, as features are kept' : ''}`,
    seed: String(recipe.seed),
  }
  const warning =
    own > machine.availableBytes
      ? `memory: about ${amount(own)} are needed and ${amount(machine.availableBytes)} are available; raise accumulate (now ${accumulate}), which divides the intermediate values,${recompute ? '' : ' set recompute, which keeps those between layers only,'} or close other programs`
      : undefined
  return { facts, warning }
}

function parameters(shapes: readonly Shape[]): number {
  let sum = 0
  for (const shape of shapes) sum += shape.reduce((product, size) => product * size, 1)
  return sum
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(count < 1e7 ? 2 : 1)} M`
}

/** `1.23 GB` */
function amount(bytes: number): string {
  return bytes < 1e8 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}
