/** The whole of `npm run claims`, with recipes, data and models as small as they come. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import { writeDataset } from '../../../scenes/node-dataset.ts'
import { withResults } from '../../../scripts/claims/document.ts'
import { type Budget, budget, figure5Runs, within } from '../../../scripts/claims/experiments.ts'
import { measure } from '../../../scripts/claims/node-measure.ts'
import { writeStateModel } from '../../../scripts/claims/node-state.ts'
import { plots } from '../../../scripts/claims/plots.ts'
import type { Results } from '../../../scripts/claims/results.ts'
import { openCheckpoint, readTensor } from '../../../src/checkpoints/node.ts'
import { train } from '../../../src/training/node-train.ts'
import { parseRecipe } from '../../../src/training/recipe.ts'
import { repositoryRoot } from '../../support/paths.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-claims-'))
after(() => rmSync(root, { recursive: true }))

const recipes = join(root, 'recipes', 'scenes')
const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))
const sizes = { train: 12, single: 4, validation: 8, test: 8, novel: 1, texts: 32 }

const few: Budget = {
  ...within(budget, { steps: 2, limit: 8 }),
  queries: { counts: [3], stage1Steps: 1, stage2Steps: 1 },
}

const commands: string[] = []
async function blip2(...args: string[]): Promise<void> {
  commands.push(args.slice(0, 2).join(' '))
  await promisify(execFile)(process.execPath, [main, ...args], { cwd: root })
}

before(async () => {
  cpSync(join(repositoryRoot, 'recipes', 'scenes'), recipes, { recursive: true })
  mkdirSync(join(root, 'docs'))
  cpSync(join(repositoryRoot, 'docs', 'claims.md'), join(root, 'docs', 'claims.md'))
  await writeDataset(join(root, 'runs', 'scenes', 'data'), sizes)
  for (const name of ['encoder', 'language', 'stage1', 'stage2']) {
    const file = join(recipes, `${name}.yaml`)
    const recipe = parse(readFileSync(file, 'utf8'))
    // Without a warm-up, whose first step changes nothing.
    const short = { batch: 8, steps: 1, schedule: { ...recipe.schedule, warmup_steps: 0 } }
    const small = { ...recipe, ...short, validation_batches: 1, examples: 0 }
    writeFileSync(file, stringify(small))
    const output = join(root, 'runs', 'scenes', name)
    if (name !== 'stage2') await train({ ...parseRecipe(small, file), output }, { folder: recipes, threads: 1 })
  }
})

const results = () => JSON.parse(readFileSync(join(root, 'docs', 'claims', 'results.json'), 'utf8')) as Results

test('trains, tests every state, and writes results, plots and tables', async () => {
  await measure({ root, budget: few, blip2 })
  const { figure5, table6, queries } = results() as Required<Results>
  assert.deepEqual(
    [figure5.with, figure5.without].map((states) => states.map(({ step }) => step)),
    [
      [1, 2],
      [1, 2],
    ],
  )
  assert.deepEqual([figure5.steps, figure5.batch, figure5.stage1_steps, figure5.questions], [2, 8, 1, 8])
  assert.notEqual(figure5.with[0]!.loss, figure5.without[0]!.loss)
  assert.deepEqual(
    table6.runs.map(({ losses }) => losses),
    [
      ['itc', 'itm'],
      ['itc', 'itm', 'itg'],
    ],
  )
  assert.ok(table6.images > 1 && table6.images <= sizes.test)
  assert.deepEqual(
    queries.runs.map(({ queries }) => queries),
    [3],
  )
  const { config } = parse(readFileSync(join(root, 'runs/claims/stage2-queries-3-1.yaml'), 'utf8')).model
  assert.equal(config.num_query_tokens, 3)
  const model = JSON.parse(readFileSync(join(root, 'runs/claims/stage2-queries-3-1/model/config.json'), 'utf8'))
  assert.equal(model.num_query_tokens, 3)

  const folder = join(root, 'docs', 'claims')
  for (const [name, svg] of Object.entries(plots(results())))
    assert.equal(readFileSync(join(folder, name), 'utf8'), svg, name)
  const document = readFileSync(join(root, 'docs', 'claims.md'), 'utf8')
  assert.equal(document, withResults(document, results()))
  assert.equal(document.match(/\*\*Found:\*\*/g)?.length, 3)
  assert.equal(commands.filter((command) => command.startsWith('train')).length, 6)
  assert.equal(commands.filter((command) => command.startsWith('test')).length, 4 + 2 + 2)
  assert.deepEqual(readdirSync(join(root, 'runs/claims', figure5Runs(few).with.name, 'states')), [])
})

test('the model of a state: the last one is the finished model, an earlier one differs in what trains', async () => {
  const run = join(root, 'runs/claims', figure5Runs(few).with.name)
  const weights = async (folder: string) => {
    const { tensors } = await openCheckpoint(folder)
    return new Map(await Promise.all(Array.from(tensors, async ([name, at]) => [name, await readTensor(at)] as const)))
  }
  const finished = await weights(join(run, 'model'))
  await writeStateModel(run, 2, join(root, 'last'))
  assert.deepEqual(await weights(join(root, 'last')), finished)
  await writeStateModel(run, 1, join(root, 'first'))
  const first = await weights(join(root, 'first'))
  const trained = [...(await openCheckpoint(join(run, 'checkpoints/step-0000001/weights.safetensors'))).tensors.keys()]
  assert.deepEqual([...first.keys()].sort(), [...finished.keys()].sort())
  for (const [name, values] of first)
    if (!trained.includes(name)) assert.deepEqual(values, finished.get(name), `${name} is frozen`)
  assert.notDeepEqual(first.get('query_tokens'), finished.get('query_tokens'))
  assert.ok(existsSync(join(root, 'first', 'tokenizer.json')))
  await assert.rejects(writeStateModel(run, 3, join(root, 'none')), { name: 'CheckpointError' })
})

test('one experiment again: what is done is not trained again, and the others keep their results', async () => {
  const before = results()
  const log = readFileSync(join(root, 'runs/claims/stage1-itc-itm-2/log.jsonl'), 'utf8')
  await measure({ root, budget: few, only: ['table6'], blip2 })
  assert.deepEqual(results(), before)
  assert.equal(readFileSync(join(root, 'runs/claims/stage1-itc-itm-2/log.jsonl'), 'utf8'), log)
})

test('what `npm run scenes` makes must be there', async () => {
  await assert.rejects(measure({ root: join(root, 'docs'), budget: few, blip2 }), {
    name: 'ConfigError',
    message: /docs.runs.scenes.data: not there; `npm run scenes` makes it$/,
  })
})
