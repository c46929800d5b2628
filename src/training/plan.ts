/** What a run will compute and need, told before it begins. */
import type { Graphs } from './node-graphs.ts'
import type { Recipe } from './recipe.ts'

/** Name → what is to be said about it. */
export type Facts = Readonly<Record<string, string>>

export function planFacts(recipe: Recipe, { shapes, frozen }: Pick<Graphs, 'shapes' | 'frozen'>, fresh: number): Facts {
  const trained = [...shapes.values()].reduce((sum, shape) => sum + elements(shape), 0)
  const still = [...frozen.values()].reduce((sum, { shape }) => sum + elements(shape), 0)
  const { batch, accumulate, steps, schedule, optimiser, data } = recipe
  const view = data.crop
    ? `random parts of ${data.crop.join(' to ')} of the area${data.mirror ? ', mirrored' : ''}`
    : 'whole'
  return {
    objective: recipe.objective === 'stage1' ? `stage1 (${recipe.losses.join(', ')})` : recipe.objective,
    trained: `${millions(trained)} parameters, ${millions(fresh)} of them fresh`,
    frozen: `${millions(still)} parameters`,
    // Value, gradient and two moments of each, as float32.
    memory: `${gigabytes(16 * trained)} for the trained parameters, their gradients and moments, besides activations; ${gigabytes(4 * still)} of frozen ones read in place`,
    steps: `${steps} of ${batch} samples${accumulate > 1 ? ` in ${accumulate} parts` : ''}`,
    'learning rate': `${schedule.kind}, ${schedule.warmup_steps} steps of warm-up to ${schedule.peak}, down to ${schedule.min}`,
    optimiser: `AdamW, betas ${optimiser.beta1} and ${optimiser.beta2}, weight decay ${optimiser.weight_decay}${optimiser.clip === undefined ? '' : `, gradients clipped to ${optimiser.clip}`}`,
    images: data.cache_features
      ? `${view}; the encoder's features are kept on disk, so each image has one view for good`
      : view,
    seed: String(recipe.seed),
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(count < 1e7 ? 2 : 1)} M`
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`
}
