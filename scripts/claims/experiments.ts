/**
 * What is trained for each claim of the paper: the recipes of the drawn scenes with a few fields changed. Sizes, learning rates and data
 * are those of recipes/scenes; only how long, and what a claim is about, is said here.
 */
import type { ConfigJson } from '../../src/training/node-model-config.ts'
import type { Recipe } from '../../src/training/recipe.ts'

/** What each experiment may cost. Steps are of the recipe's batch. */
export interface Budget {
  readonly figure5: typeof figure5
  readonly table6: typeof table6
  readonly queries: typeof queries
  readonly tests: typeof tests
}

/** Stage 2 with and without stage 1: steps of each run, and states along the way that are tested. */
const figure5 = { steps: 1800, states: 6 }

/** Stage 1 with and without ITG. */
const table6 = { steps: 600 }

/** More queries or fewer: for each count both stages. With the steps of `table6`, the count of the recipe is trained once for both. */
const queries = { counts: [4, 16, 32], stage1Steps: table6.steps, stage2Steps: 900 }

/** The first so many questions and images of the test split. */
const tests = { questions: 1000, images: 300 }

export const budget: Budget = { figure5, table6, queries, tests }

/** The same experiments with no run longer than `steps` and no test larger than `limit`: to try the script. */
export function within(
  budget: Budget,
  most: { readonly steps?: number | undefined; readonly limit?: number | undefined },
): Budget {
  const { steps = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = most
  const { figure5, table6, queries, tests } = budget
  return {
    figure5: { ...figure5, steps: Math.min(figure5.steps, steps) },
    table6: { steps: Math.min(table6.steps, steps) },
    queries: {
      ...queries,
      stage1Steps: Math.min(queries.stage1Steps, steps),
      stage2Steps: Math.min(queries.stage2Steps, steps),
    },
    tests: { questions: Math.min(tests.questions, limit), images: Math.min(tests.images, limit) },
  }
}

export interface TrainingRun {
  /** Its folder in runs/claims. With the steps in it, so that another budget makes another run. */
  readonly name: string
  readonly base: 'stage1' | 'stage2'
  readonly steps: number
  /** How many states along the way are validated and kept; default: the last. */
  readonly states?: number
  readonly losses?: Recipe['losses']
  readonly queries?: number
  /** Of stage 2, in place of the first stage of `npm run scenes`: another run of ours, or none. */
  readonly start?: { readonly run: string } | 'no stage 1'
}

export function figure5Runs({ figure5 }: Budget): { readonly with: TrainingRun; readonly without: TrainingRun } {
  const run = { base: 'stage2', ...figure5 } as const
  return {
    with: { ...run, name: `stage2-with-stage1-${figure5.steps}` },
    without: { ...run, name: `stage2-without-stage1-${figure5.steps}`, start: 'no stage 1' },
  }
}

export function table6Runs({ table6 }: Budget): TrainingRun[] {
  const losses: Recipe['losses'][] = [
    ['itc', 'itm'],
    ['itc', 'itm', 'itg'],
  ]
  return losses.map((losses) => ({ name: stage1Name(table6.steps, losses), base: 'stage1', ...table6, losses }))
}

export interface QueriesRuns {
  readonly queries: number
  readonly stage1: TrainingRun
  readonly stage2: TrainingRun
}

/** `recipeQueries` is the number of the recipe's model, which needs no change. */
export function queriesRuns({ queries }: Budget, recipeQueries: number): QueriesRuns[] {
  return queries.counts.map((count) => {
    const changed = count === recipeQueries ? {} : { queries: count }
    const losses: Recipe['losses'] = ['itc', 'itm', 'itg']
    const name = stage1Name(queries.stage1Steps, losses, changed.queries)
    const stage1 = { name, base: 'stage1', steps: queries.stage1Steps, losses, ...changed } as const
    const start = { run: name }
    return {
      queries: count,
      stage1,
      stage2: {
        name: `stage2-queries-${count}-${queries.stage2Steps}`,
        base: 'stage2',
        steps: queries.stage2Steps,
        start,
        ...changed,
      },
    }
  })
}

/** Of equal runs the same, so that they are trained once. */
function stage1Name(steps: number, losses: Recipe['losses'], queries?: number): string {
  return ['stage1', ...losses, ...(queries === undefined ? [] : [`queries-${queries}`]), steps].join('-')
}

/**
 * The recipe of a run. `config` is config.json of the model that `recipe` trains. Paths stay as they are: runs/claims, where the file goes,
 * lies as deep as recipes/scenes. The warm-up takes a tenth of the steps at most, and nothing is kept that a short run does not need.
 */
export function variant(recipe: Recipe, run: TrainingRun, config: ConfigJson): Recipe {
  const { name, steps, states = 1, losses, queries, start } = run
  const every = Math.ceil(steps / states)
  return {
    ...recipe,
    output: `runs/claims/${name}`,
    steps,
    model: {
      ...recipe.model,
      ...(start !== undefined && { from: recipe.model.from.map((entry) => startOf(entry, start)) }),
      ...(queries !== undefined && { config: { ...config, num_query_tokens: queries } }),
    },
    data: { ...recipe.data, cache_features: false },
    ...(losses && { losses }),
    schedule: { ...recipe.schedule, warmup_steps: Math.min(recipe.schedule.warmup_steps, Math.ceil(steps / 10)) },
    checkpoints: { every, keep: states },
    log_every: Math.min(recipe.log_every, every),
    examples: 0,
  }
}

type Entry = Recipe['model']['from'][number]

/** The first stage of `npm run scenes` in a recipe. */
const firstStage = /scenes\/stage1\/model$/

function startOf(entry: Entry, start: NonNullable<TrainingRun['start']>): Entry {
  const checkpoint = typeof entry === 'string' ? entry : entry.checkpoint
  if (!firstStage.test(checkpoint)) return entry
  if (start === 'no stage 1')
    return { checkpoint: checkpoint.replace(firstStage, 'scenes/encoder/model'), only: 'image encoder' }
  return checkpoint.replace(firstStage, `claims/${start.run}/model`)
}
