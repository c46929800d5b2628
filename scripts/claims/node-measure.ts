/** Trains and tests what the claims need, and writes results, plots and the tables of the document after each experiment. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse, stringify } from 'yaml'
import { ConfigError } from '../../src/errors.ts'
import type { Report } from '../../src/evaluation/report.ts'
import { jsonLines, type LogLine } from '../../src/training/log.ts'
import type { ConfigJson } from '../../src/training/node-model-config.ts'
import { originsOf, parseRecipe, type Recipe } from '../../src/training/recipe.ts'
import { withResults } from './document.ts'
import { type Budget, figure5Runs, queriesRuns, type TrainingRun, table6Runs, variant } from './experiments.ts'
import { writeStateModel } from './node-state.ts'
import { plots } from './plots.ts'
import {
  type AnsweredQuestion,
  blindAccuracy,
  type Figure5,
  type Queries,
  type Recalls,
  type Results,
  type State,
  type Table6,
  validations,
} from './results.ts'

export const experiments = ['figure5', 'table6', 'queries'] as const
export type Experiment = (typeof experiments)[number]

export interface MeasureOptions {
  /** The folder with recipes/scenes, docs/claims.md, and in runs/scenes what `npm run scenes` has made. */
  readonly root: string
  readonly budget: Budget
  /** Default: all. Those that are left out keep their results. */
  readonly only?: readonly Experiment[]
  /** Runs the command line in `root`; rejects where it fails. */
  readonly blip2: (...args: string[]) => Promise<void>
}

const data = 'runs/scenes/data'

/** What is trained and tested already is not done again. Throws ConfigError where something is missing, and what `blip2` throws. */
export async function measure({ root, budget, only = experiments, blip2 }: MeasureOptions): Promise<void> {
  for (const made of ['data', 'encoder/model', 'language/model', 'stage1/model'])
    if (!existsSync(join(root, 'runs/scenes', made)))
      throw new ConfigError(`${join(root, 'runs/scenes', made)}: not there; \`npm run scenes\` makes it`)
  const work: Work = { root, budget, blip2, ...readRecipes(root) }
  for (const experiment of experiments.filter((name) => only.includes(name)))
    update(root, { [experiment]: await measured(work, experiment) })
}

interface Work extends Pick<MeasureOptions, 'root' | 'budget' | 'blip2'> {
  readonly recipes: Readonly<Record<TrainingRun['base'], Recipe>>
  /** config.json of the models that they train. */
  readonly configs: Readonly<Record<TrainingRun['base'], ConfigJson>>
}

function measured(work: Work, experiment: Experiment): Promise<Figure5 | Table6 | Queries> {
  switch (experiment) {
    case 'figure5':
      return measureFigure5(work)
    case 'table6':
      return measureTable6(work)
    case 'queries':
      return measureQueries(work)
  }
}

async function measureFigure5(work: Work): Promise<Figure5> {
  const { budget, recipes } = work
  const runs = figure5Runs(budget)
  const questions = { asked: 0 }

  async function statesOf(run: TrainingRun): Promise<State[]> {
    const folder = await train(work, run)
    const states: State[] = []
    for (const { step, loss } of validationsOf(work, run)) {
      const model = `${folder}/states/${step}`
      await writeStateModel(join(work.root, folder), step, join(work.root, model))
      const { scores, samples } = await answer(work, model, `${run.name}-${step}`)
      rmSync(join(work.root, model), { recursive: true })
      states.push({ step, accuracy: scores.overall, loss })
      questions.asked = samples
    }
    return states
  }

  const states = { with: await statesOf(runs.with), without: await statesOf(runs.without) }
  return {
    steps: budget.figure5.steps,
    batch: recipes.stage2.batch,
    stage1_steps: recipes.stage1.steps,
    stage1_batch: recipes.stage1.batch,
    questions: questions.asked,
    blind: blind(work, questions.asked),
    ...states,
  }
}

async function measureTable6(work: Work): Promise<Table6> {
  const runs: (Table6['runs'][number] & Searched)[] = []
  for (const run of table6Runs(work.budget)) runs.push({ losses: run.losses ?? [], ...(await search(work, run)) })
  return {
    steps: work.budget.table6.steps,
    batch: work.recipes.stage1.batch,
    images: runs[0]!.images,
    runs: runs.map(({ images, ...run }) => run),
  }
}

async function measureQueries(work: Work): Promise<Queries> {
  const { budget, recipes, configs } = work
  const runs: (Queries['runs'][number] & Searched & { readonly asked: number })[] = []
  for (const { queries, stage1, stage2 } of queriesRuns(budget, Number(configs.stage1.num_query_tokens))) {
    const found = await search(work, stage1)
    const { scores, samples } = await answer(work, `${await train(work, stage2)}/model`, stage2.name)
    const { loss } = validationsOf(work, stage2).at(-1)!
    runs.push({ queries, accuracy: scores.overall, loss, ...found, asked: samples })
  }
  return {
    stage1_steps: budget.queries.stage1Steps,
    stage1_batch: recipes.stage1.batch,
    stage2_steps: budget.queries.stage2Steps,
    stage2_batch: recipes.stage2.batch,
    images: runs[0]!.images,
    questions: runs[0]!.asked,
    blind: blind(work, runs[0]!.asked),
    runs: runs.map(({ images, asked, ...run }) => run),
  }
}

type Searched = Recalls & { readonly images: number }

/** Trains a run of stage 1 and searches with its model. */
async function search(work: Work, run: TrainingRun): Promise<Searched> {
  const folder = await train(work, run)
  const { images } = work.budget.tests
  const { scores, samples } = await test<keyof Recalls>(work, 'retrieval', `${folder}/model`, run.name, images)
  const { txt_r1, txt_r5, img_r1, img_r5 } = scores
  return { txt_r1, txt_r5, img_r1, img_r5, images: samples }
}

function answer(work: Work, model: string, name: string): Promise<Tested<'overall'>> {
  return test(work, 'vqa', model, name, work.budget.tests.questions)
}

/** Trains and returns the folder of the run. */
async function train(work: Work, run: TrainingRun): Promise<string> {
  const { root, recipes, configs, blip2 } = work
  const recipe = `runs/claims/${run.name}.yaml`
  mkdirSync(join(root, 'runs/claims'), { recursive: true })
  writeFileSync(join(root, recipe), stringify(variant(recipes[run.base], run, configs[run.base])))
  await blip2('train', recipe, '--resume')
  return `runs/claims/${run.name}`
}

function validationsOf({ root }: Work, run: TrainingRun): ReturnType<typeof validations> {
  return validations(jsonLines<LogLine>(readFileSync(join(root, 'runs/claims', run.name, 'log.jsonl'), 'utf8')))
}

interface Tested<Metric extends string> {
  readonly scores: Readonly<Record<Metric, number>>
  readonly samples: number
}

/** `Metric` are those that the benchmark has. */
async function test<Metric extends string>(
  { root, blip2 }: Work,
  benchmark: 'vqa' | 'retrieval',
  model: string,
  name: string,
  limit: number,
): Promise<Tested<Metric>> {
  const out = `runs/claims/tests/${name}`
  mkdirSync(join(root, 'runs/claims/tests'), { recursive: true })
  const options = ['--data', data, '--out', out, '--batch', '32', '--limit', String(limit)]
  await blip2('test', `recipes/scenes/test-${benchmark}.yaml`, model, ...options)
  const { scores, samples } = readJson<Report>(join(root, out, 'report.json'))
  const measured = Object.fromEntries(scores.map(({ metric, measured }) => [metric, measured]))
  return { scores: measured as Record<Metric, number>, samples: samples.scored }
}

function blind({ root }: Work, asked: number): number {
  const answers = (part: string) =>
    readJson<{ readonly annotations: readonly AnsweredQuestion[] }>(join(root, data, `answers_${part}.json`))
  return blindAccuracy(answers('train').annotations, answers('test').annotations.slice(0, asked))
}

/** What the recipes say of their models lies in files, by now. */
function readRecipes(root: string): Pick<Work, 'recipes' | 'configs'> {
  const read = (name: TrainingRun['base']): [Recipe, ConfigJson] => {
    const file = join(root, 'recipes/scenes', `${name}.yaml`)
    const recipe = parseRecipe(parse(readFileSync(file, 'utf8')), file)
    const { config = `${originsOf(recipe)[0]!.checkpoint}/config.json` } = recipe.model
    return [recipe, typeof config === 'string' ? readJson(join(dirname(file), config)) : config]
  }
  const [[stage1, config1], [stage2, config2]] = [read('stage1'), read('stage2')]
  return { recipes: { stage1, stage2 }, configs: { stage1: config1, stage2: config2 } }
}

/** Writes results, plots and document, with what was measured before and `changes`. */
function update(root: string, changes: Results): void {
  const [folder, document] = [join(root, 'docs/claims'), join(root, 'docs/claims.md')]
  const file = join(folder, 'results.json')
  mkdirSync(folder, { recursive: true })
  const results: Results = { ...(existsSync(file) ? readJson<Results>(file) : {}), ...changes }
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  for (const [name, svg] of Object.entries(plots(results))) writeFileSync(join(folder, name), svg)
  writeFileSync(document, withResults(readFileSync(document, 'utf8'), results))
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T
}
