/** However often a run is killed, and wherever: the model, the moments and the log at last are those of an unbroken run, bit for bit. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Recipe } from '../../src/training/recipe.ts'
import { uniform } from '../support/tensors.ts'
import { configs, tinyRecipe, writeTinyData, writeTinyModel } from './tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-killed-'))
after(() => rmSync(root, { recursive: true }))

before(async () => {
  await writeTinyData(root)
  await writeTinyModel(join(root, 'stage1'), 'retrieval')
  await writeTinyModel(join(root, 'opt-model'), 'opt')
  // One of nine pictures cannot be read.
  const set = JSON.parse(readFileSync(join(root, 'captions.json'), 'utf8'))
  set.images.push({ id: 99, file_name: 'damaged.png' })
  set.annotations.push({ image_id: 99, caption: 'a white square on white' })
  writeFileSync(join(root, 'with-damaged.json'), JSON.stringify(set))
  writeFileSync(join(root, 'images', 'damaged.png'), 'no picture')
})

const captions = { kind: 'captions', annotations: 'captions.json', images: 'images' }
const questions = {
  kind: 'vqa',
  questions: 'questions.json',
  annotations: 'answers.json',
  images: 'images',
  image_name: '{}.png',
}
/** The second checkpoint has two lines of the log since the first, and one that is begun. */
const pace = {
  batch: 4,
  steps: 10,
  checkpoints: { every: 5, keep: 1 },
  log_every: 2,
  validation_batches: 1,
  examples: 2,
}

const first = (output: string): Recipe =>
  tinyRecipe(join(root, output), {
    ...pace,
    objective: 'stage1',
    model: { from: ['stage1'], tokenizer: 'bert' },
    data: {
      train: [{ ...captions, annotations: 'with-damaged.json' }],
      validation: [captions],
      crop: [0.3, 1],
      mirror: true,
    },
    accumulate: 2,
    optimiser: { clip: 1 },
  })

const second = (output: string): Recipe =>
  tinyRecipe(join(root, output), {
    ...pace,
    objective: 'stage2',
    model: { from: ['opt-model'], tokenizer: 'opt', config: configs.opt },
    data: {
      train: [captions, { ...questions, weight: 2 }],
      validation: [questions],
      crop: [0.3, 1],
      cache_features: true,
    },
  })

const script = fileURLToPath(new URL('killed-run.js', import.meta.url))

/** The number of operations, or undefined where the process killed itself. */
function run(recipe: Recipe, ...kill: readonly string[]): Promise<number | undefined> {
  const file = `${recipe.output}.json`
  writeFileSync(file, JSON.stringify({ recipe, folder: root }))
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, file, ...kill], (error, stdout) => {
      if (error?.signal === 'SIGKILL') resolve(undefined)
      else if (error) reject(error)
      else resolve(Number(stdout))
    })
  })
}

/** What a run leaves behind, without what depends on time. */
function remains({ output }: Recipe): object {
  const bytes = (...names: string[]) => readFileSync(join(output, ...names))
  const lines = bytes('log.jsonl').toString().trim().split('\n')
  const log = lines.map((line) => {
    const { samples_per_second, waiting, memory, seconds, ...rest } = JSON.parse(line)
    return rest
  })
  const states = readdirSync(join(output, 'checkpoints'))
  const tensors = states.flatMap((state) =>
    ['weights', 'moments'].map((name) => bytes('checkpoints', state, `${name}.safetensors`)),
  )
  const bad = readdirSync(output).includes('bad.jsonl') ? bytes('bad.jsonl').toString() : ''
  return { model: bytes('model', 'model.safetensors'), states, tensors, log, bad, files: readdirSync(output) }
}

/** Ends of a run, in turn: at a part of all its operations, most of which write states, or after milliseconds. */
const kills = [
  ['operations', 0.2],
  ['operations', 0.55],
  ['milliseconds', 900],
  ['operations', 0.3],
  ['milliseconds', 600],
  ['operations', 0.4],
  ['operations', 0.1],
] as const

describe('killed in the middle of writes, and at any other time', { concurrency: true }, () => {
  for (const [name, recipe] of Object.entries({ first, second })) {
    test(`${name} stage`, async () => {
      const unbroken = recipe(`${name}-unbroken`)
      const operations = (await run(unbroken))!
      const killed = recipe(`${name}-killed`)
      const random = uniform(name.length)
      const found = new Set<string>()
      let ended = 0
      for (const [unit, number] of kills) {
        const jitter = 0.8 + 0.4 * random()
        const last = Math.ceil(jitter * number * (unit === 'operations' ? operations : 1))
        if ((await run(killed, unit, String(last))) !== undefined) ended++
        for (const entry of readdirSync(killed.output)) found.add(entry)
        for (const entry of readdirSync(join(killed.output, 'checkpoints')))
          found.add(entry.replace(/^writing.*/, 'draft'))
      }
      assert.ok(ended < 4, `${ended} of ${kills.length} runs came to their end`)
      assert.ok(found.has('draft'), 'none was killed while it wrote a state')
      await run(killed)
      assert.deepEqual(remains(killed), remains(unbroken))
    })
  }
})
