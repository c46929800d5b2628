import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { budget, figure5Runs, queriesRuns, table6Runs, variant, within } from '../../../scripts/claims/experiments.ts'
import { parseRecipe } from '../../../src/training/recipe.ts'
import { repositoryRoot } from '../../support/paths.ts'

const recipe = (name: string) =>
  parseRecipe(parse(readFileSync(join(repositoryRoot, 'recipes', 'scenes', `${name}.yaml`), 'utf8')), name)
const [stage1, stage2] = [recipe('stage1'), recipe('stage2')]
const config = { num_query_tokens: 16, vision_config: { hidden_size: 8 } }

const all = [
  ...Object.values(figure5Runs(budget)),
  ...table6Runs(budget),
  ...queriesRuns(budget, 16).flatMap((runs) => [runs.stage1, runs.stage2]),
]

test('every run is a recipe, and changes what the claim is about and how long it takes', () => {
  for (const run of all) {
    const base = run.base === 'stage1' ? stage1 : stage2
    const made = parseRecipe(parse(stringify(variant(base, run, config))), run.name)
    assert.deepEqual(made, variant(base, run, config), 'reads as it was written')
    const { output, steps, model, losses, schedule, checkpoints, log_every, examples, data, ...rest } = made
    const { output: _, model: baseModel, data: baseData, schedule: baseSchedule, ...baseRest } = base
    for (const [field, value] of Object.entries(rest)) assert.deepEqual(value, baseRest[field as keyof typeof rest])
    assert.equal(output, `runs/claims/${run.name}`)
    assert.equal(steps, run.steps)
    assert.deepEqual({ ...data, cache_features: true }, { ...baseData, cache_features: true })
    assert.deepEqual({ ...schedule, warmup_steps: 0 }, { ...baseSchedule, warmup_steps: 0 })
    assert.ok(schedule.warmup_steps <= baseSchedule.warmup_steps && schedule.warmup_steps <= Math.ceil(steps / 10))
    assert.deepEqual({ ...model, from: [], config: undefined }, { ...baseModel, from: [], config: undefined })
    assert.deepEqual(losses, run.losses ?? base.losses)
    assert.ok(log_every <= checkpoints.every && examples === 0)
  }
})

test('Figure 5: stage 2 as it is, and from the image encoder and the language model alone; every state is kept', () => {
  const { with: first, without } = figure5Runs(budget)
  assert.deepEqual(variant(stage2, first, config).model, stage2.model)
  assert.deepEqual(variant(stage2, without, config).model.from, [
    { checkpoint: '../../runs/scenes/encoder/model', only: 'image encoder' },
    ...stage2.model.from.slice(1),
  ])
  const { steps, states } = budget.figure5
  for (const run of [first, without])
    assert.deepEqual(variant(stage2, run, config).checkpoints, { every: Math.ceil(steps / states), keep: states })
})

test('Table 6: the losses alone differ', () => {
  const [without, withItg] = table6Runs(budget).map((run) => variant(stage1, run, config))
  assert.deepEqual(without!.losses, ['itc', 'itm'])
  assert.deepEqual(withItg!.losses, ['itc', 'itm', 'itg'])
  assert.deepEqual({ ...without, losses: [], output: '' }, { ...withItg, losses: [], output: '' })
})

test('queries: stage 2 begins with the first stage of as many; the number of the recipe is trained once for Table 6 too', () => {
  const runs = queriesRuns(budget, 16)
  assert.deepEqual(
    runs.map(({ queries }) => queries),
    budget.queries.counts,
  )
  for (const { queries, stage1: first, stage2: second } of runs) {
    const changed = queries === 16 ? undefined : { ...config, num_query_tokens: queries }
    assert.deepEqual(variant(stage1, first, config).model.config, changed ?? stage1.model.config)
    const { model } = variant(stage2, second, config)
    assert.deepEqual(model.config, changed ?? stage2.model.config)
    assert.deepEqual(model.from, [`../../runs/claims/${first.name}/model`, ...stage2.model.from.slice(1)])
  }
  assert.deepEqual(runs.find(({ queries }) => queries === 16)!.stage1, table6Runs(budget)[1])
})

test('runs of one name are equal, also with another budget', () => {
  const found = new Map<string, unknown>()
  const smaller = within(budget, { steps: 100 })
  for (const run of [...all, ...table6Runs(smaller), ...Object.values(figure5Runs(smaller))]) {
    assert.deepEqual(found.get(run.name) ?? run, run)
    found.set(run.name, run)
  }
})

test('a smaller budget: no run longer, no test larger', () => {
  assert.deepEqual(within(budget, {}), budget)
  const small = within(budget, { steps: 2, limit: 5 })
  assert.deepEqual(
    [small.figure5, small.table6, small.queries, small.tests],
    [
      { steps: 2, states: budget.figure5.states },
      { steps: 2 },
      { counts: budget.queries.counts, stage1Steps: 2, stage2Steps: 2 },
      { questions: 5, images: 5 },
    ],
  )
  assert.deepEqual(within(budget, { steps: 1e6, limit: 1e6 }), budget)
})

test('more states than steps: one for each step', () => {
  const { with: run } = figure5Runs(within(budget, { steps: 3 }))
  assert.equal(variant(stage2, run, config).checkpoints.every, 1)
})
