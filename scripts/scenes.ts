/**
 * `npm run scenes`: the built-in models from nothing. Draws the scenes, trains an image encoder and a language model, freezes both and runs
 * the two stages and the fine-tuning for captions and for retrieval, puts the results into models/ as the package ships them, and measures them on
 * held-out scenes. What was done already is not done again: a run that was stopped goes on.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { writeDataset } from '../scenes/node-dataset.ts'
import { narrowFloat16 } from '../src/checkpoints/narrow.ts'
import { openCheckpoint, readTensor, writeSafetensors } from '../src/checkpoints/node.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const data = join(root, 'runs', 'scenes', 'data')
const sizes = { train: 30_000, single: 15_000, validation: 512, test: 1200, novel: 400, texts: 200_000 }

/**
 * One round after the other; in a round, the runs of one line follow each other beside those of the other line. Every run has one thread, which is
 * faster than one run after the other on two, and the number of threads is part of the result.
 */
const rounds = [
  [['encoder', 'stage1'], ['language']],
  [['stage2', 'caption'], ['retrieval']],
]

/** What the package ships, and of which run it is. */
const shipped = { scenes: 'caption', 'scenes-retrieval': 'retrieval' } as const

/** Runs a command of ours to its end; what it says comes behind `name`. */
async function run(name: string, ...args: string[]): Promise<void> {
  console.log(`\n$ npx blip2 ${args.join(' ')}`)
  const { signal } = failed
  const child = spawn(process.execPath, [main, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], signal })
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) => console.log(`${name.padEnd(9)} ${line}`))
  const status = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  if (status !== 0) throw new Error(`${name} ended with ${status}; the same command goes on where it stopped`)
}

/** Ends what runs beside a run that failed. */
const failed = new AbortController()

async function trainInTurn(names: readonly string[]): Promise<void> {
  try {
    for (const name of names)
      if (!existsSync(join(root, 'runs', 'scenes', name, 'model')))
        await run(name, 'train', `recipes/scenes/${name}.yaml`, '--resume', '--threads', '1')
  } catch (error) {
    failed.abort()
    throw error
  }
}

const begun = Date.now()
if (!existsSync(data)) {
  console.log('drawing scenes')
  mkdirSync(join(root, 'runs', 'scenes'), { recursive: true })
  await writeDataset(data, sizes)
}
for (const lines of rounds) await Promise.all(lines.map(trainInTurn))
for (const [name, from] of Object.entries(shipped))
  await ship(join(root, 'runs', 'scenes', from, 'model'), join(root, 'models', name))
console.log(`\ntrained in ${Math.round((Date.now() - begun) / 60_000)} minutes`)

for (const split of ['test', 'novel']) {
  await measure(`caption-${split}`, 'test-caption', 'scenes', '--split', split)
  await measure(`vqa-${split}`, 'test-vqa', 'scenes', '--split', split)
}
for (const split of ['test', 'novel']) {
  console.log(`\nwhat one more caption of each scene scores, ${split}`)
  const [annotations, results] = ['captions', 'more-captions'].map((name) => join(data, `${name}_${split}.json`))
  await run('metrics', 'metrics', 'caption', '--annotations', `${annotations}`, '--results', `${results}`)
}
await measure('retrieval', 'test-retrieval', 'scenes-retrieval', '--limit', '1000')

async function measure(name: string, configuration: string, model: string, ...options: string[]): Promise<void> {
  const out = join('runs', 'scenes', 'results', name)
  const where = ['--data', data, '--out', out, '--fresh', '--batch', '32']
  await run('test', 'test', `recipes/scenes/${configuration}.yaml`, join('models', model), ...options, ...where)
}

/** Copies a model with its weights as float16, half the size. */
async function ship(from: string, to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true })
  const { tensors, metadata } = await openCheckpoint(from)
  const halves = await Promise.all(
    Array.from(tensors.values(), async (tensor) => {
      const values = (await readTensor(tensor)) as Float32Array
      const data = new Uint16Array(values.length)
      narrowFloat16(values, data)
      return { name: tensor.name, dtype: 'F16' as const, shape: tensor.shape, data }
    }),
  )
  await writeSafetensors(join(to, 'model.safetensors'), halves, metadata)
}
