/**
 * A training step of the full-size Q-Former: forward, backward and AdamW of one batch, whose image features (ViT-g: 257 × 1,408) are given.
 * Stage 1 has 187 M parameters with text; stage 2 has a frozen OPT-2.7b behind, read from CHECKPOINT (`make-checkpoint.ts`). Texts have 32 tokens
 * each, in stage2-captions as many as COCO's captions. The weights and the batch are written to FOLDER first, where they are not there, so that a
 * peer can begin with the same ones (`compare-training.ts`).
 *
 *   node build/bench/training-step.js stage1|stage2|stage2-captions FOLDER [CHECKPOINT] [BATCH]
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint, readTensor, writeSafetensors } from '../src/checkpoints/node.ts'
import type { TensorToWrite } from '../src/checkpoints/node-write.ts'
import { parseConfig } from '../src/models/config.ts'
import { findPreset } from '../src/models/presets.ts'
import { decays } from '../src/optim/groups.ts'
import { randomFor } from '../src/random.ts'
import type { Tensor } from '../src/runtime/device.ts'
import { openDevice } from '../src/runtime/node.ts'
import { buildGraphs } from '../src/training/node-graphs.ts'
import { objectiveOf } from '../src/training/objective.ts'
import { parseRecipe } from '../src/training/recipe.ts'
import { say } from './open.ts'
import { captionFeeds, floats, freshValues, memoryMb, textFeeds } from './training.ts'

const STEPS = 3
const [which = 'stage1', folder = '.cache/bench-training', checkpoint = '.cache/bench-checkpoint', size = '8'] =
  process.argv.slice(2)
const [objective, asCaptions] = which === 'stage2-captions' ? ['stage2', true] : [which, false]
const batch = Number(size)

const published = { model_type: 'blip-2', qformer_config: { vocab_size: 30523, use_qformer_text_input: true } }
const config =
  objective === 'stage1' ? parseConfig(published, 'bench') : findPreset('Salesforce/blip2-opt-2.7b')?.config
if (!config) throw new Error('no published configuration')
const recipe = parseRecipe(
  {
    objective,
    output: 'none',
    model: {},
    data: { train: [{ kind: 'folder', images: 'none' }] },
    batch,
    steps: STEPS,
    schedule: { peak: 1e-4 },
  },
  'bench',
)

const device = await openDevice()
// The encoder is not built: its output is fed.
const given = { ...objectiveOf(recipe, config, config.qformer_config.vocab_size - 1), images: 'none' as const }
const tensors = objective === 'stage1' ? new Map() : (await openCheckpoint(checkpoint)).tensors
const graphs = buildGraphs(device, config, given, { tensors, replaced: new Map() })

const file = join(folder, `${which}.safetensors`)
if (!existsSync(file)) {
  await mkdir(folder, { recursive: true })
  const draw = randomFor('bench')
  const feeds = {
    image_hidden: floats([257, batch, config.vision_config.hidden_size], () => 2 * draw() - 1),
    ...(asCaptions ? captionFeeds(batch) : textFeeds(objective, batch, draw)),
  }
  await writeSafetensors(file, [
    ...Object.entries(feeds).map(([name, tensor]) => toWrite(`batch.${name}`, tensor)),
    ...Array.from(graphs.shapes, ([name, shape]) => {
      return { name, shape, dtype: 'F32' as const, data: beginning(name, shape) }
    }),
  ])
}

const begin = (await openCheckpoint(file)).tensors
const feeds: Record<string, Tensor> = {}
const settings = Array.from(graphs.shapes, ([name, shape]) => {
  return [name, { shape, weightDecay: decays(name, shape) ? 0.05 : 0 }] as const
})
const variables = await device.createVariables(Object.fromEntries(settings))
let parameters = 0
for (const [name, stored] of begin) {
  const data = await readTensor(stored)
  if (name.startsWith('batch.')) {
    const dtype = stored.dtype === 'I64' ? 'int64' : 'float32'
    feeds[name.slice('batch.'.length)] = { dtype, shape: stored.shape, data } as Tensor
  } else {
    await variables.write(name, data as Float32Array)
    parameters += data.length
  }
}

const best = { ms: Number.POSITIVE_INFINITY, cpu_ms: Number.POSITIVE_INFINITY, update_ms: Number.POSITIVE_INFINITY }
for (let step = 1; step <= STEPS; step++) {
  const begun = { ms: performance.now(), cpu: process.cpuUsage() }
  const losses = await graphs.train(feeds, variables)
  const middle = performance.now()
  await variables.update({ learningRate: 1e-4, betas: [0.9, 0.98] })
  const { user, system } = process.cpuUsage(begun.cpu)
  console.log(JSON.stringify({ peer: 'blip2', figure: `${which} losses`, step, ...losses }))
  if (step === 1) continue // It makes the session.
  best.ms = Math.min(best.ms, performance.now() - begun.ms)
  best.cpu_ms = Math.min(best.cpu_ms, (user + system) / 1000)
  best.update_ms = Math.min(best.update_ms, performance.now() - middle)
}
say(`${which} training step`, { batch, parameters_million: parameters / 1e6, peak_mb: memoryMb('VmHWM'), ...best })
await device.dispose()

/** One weight at a time, as their sum would count in the peak. */
function* beginning(name: string, shape: readonly number[]): Generator<Uint8Array> {
  const values = name === 'temp' ? Float32Array.of(0.07) : freshValues(name, shape)
  yield new Uint8Array(values.buffer)
}

function toWrite(name: string, { dtype, shape, data }: Tensor): TensorToWrite {
  return { name, shape, dtype: dtype === 'int64' ? 'I64' : 'F32', data: data as Float32Array | BigInt64Array }
}
