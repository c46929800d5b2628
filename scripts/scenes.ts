/**
 * `npm run scenes`: the built-in models from nothing. Draws the scenes, trains an image encoder and a language model, freezes both and runs
 * the two stages and the fine-tuning for retrieval, puts the results into models/ as the package ships them, and measures them on
 * held-out scenes. What was done already is not done again: a run that was stopped goes on.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeDataset } from '../scenes/node-dataset.ts'
import { narrowFloat16 } from '../src/checkpoints/narrow.ts'
import { openCheckpoint, readTensor, writeSafetensors } from '../src/checkpoints/node.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const data = join(root, 'runs', 'scenes', 'data')
const sizes = { train: 20_000, validation: 512, test: 1200, novel: 400, texts: 200_000 }

/** In this order: each begins with what those before it have made. */
const recipes = ['encoder', 'language', 'stage1', 'stage2', 'retrieval'] as const

/** What the package ships, and of which run it is. */
const shipped = { scenes: 'stage2', 'scenes-retrieval': 'retrieval' } as const

function run(...args: string[]): void {
  console.log(`\n$ npx blip2 ${args.join(' ')}`)
  const { status } = spawnSync(process.execPath, [main, ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const begun = Date.now()
if (!existsSync(data)) {
  console.log('drawing scenes')
  mkdirSync(join(root, 'runs', 'scenes'), { recursive: true })
  await writeDataset(data, sizes)
}
for (const name of recipes) {
  if (existsSync(join(root, 'runs', 'scenes', name, 'model'))) continue
  run('train', `recipes/scenes/${name}.yaml`, '--resume')
}
for (const [name, from] of Object.entries(shipped))
  await ship(join(root, 'runs', 'scenes', from, 'model'), join(root, 'models', name))
console.log(`\ntrained in ${Math.round((Date.now() - begun) / 60_000)} minutes`)

const results = join('runs', 'scenes', 'results')
for (const split of ['test', 'novel']) {
  run('test', 'recipes/scenes/test-caption.yaml', 'models/scenes', '--split', split, ...testOptions(`caption-${split}`))
  run('test', 'recipes/scenes/test-vqa.yaml', 'models/scenes', '--split', split, ...testOptions(`vqa-${split}`))
}
run(
  'test',
  'recipes/scenes/test-retrieval.yaml',
  'models/scenes-retrieval',
  '--limit',
  '1000',
  ...testOptions('retrieval'),
)

function testOptions(name: string): string[] {
  return ['--data', data, '--out', join(results, name), '--fresh', '--batch', '32']
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
