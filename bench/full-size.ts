/**
 * Both stages at full size by `blip2 train`, ten steps each, on a dozen made-up images: ViT-g (39 layers) and the Q-Former in stage 1, and OPT-2.7b
 * behind them in stage 2, all with random weights. Makes the checkpoint, the data and two recipes in FOLDER, as far as they are not there, and
 * deletes nothing: 45 GB of disk in all, of which the checkpoint is 15. Linux, 24 GB of memory.
 *
 *   node build/bench/full-size.js [FOLDER] [stage1|stage2]
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { stringify } from 'yaml'
import { findPreset } from '../src/models/presets.ts'
import { makeCheckpoint } from './make-checkpoint.ts'
import { benchVocabulary } from './tokenizer.ts'

const STEPS = 10
const BATCH = 8
const IMAGES = 12

const [where = '.cache/bench-full-size', only] = process.argv.slice(2)
const folder = resolve(where)
const checkpoint = join(folder, 'checkpoint')
const vocabulary = join(folder, 'vocabulary')
const images = join(folder, 'images')

const preset = findPreset('Salesforce/blip2-opt-2.7b')
if (!preset) throw new Error('no published configuration')
await makeCheckpoint(preset.config, checkpoint)
await mkdir(vocabulary, { recursive: true })
await writeFile(join(vocabulary, 'vocab.txt'), benchVocabulary(30522))
await makeImages()

const encoder = { layer_norm_eps: 1e-6, post_layernorm_eps: 1e-5 }
const shared = {
  data: { train: [{ kind: 'folder', images }], cache_features: true },
  batch: BATCH,
  steps: STEPS,
  schedule: { peak: 1e-4, warmup_steps: 5, warmup_start: 1e-6 },
  checkpoints: { every: 1000, keep: 1 },
  log_every: 1,
}
await run('stage1', {
  from: [{ checkpoint, only: 'image encoder' }],
  tokenizer: vocabulary,
  config: {
    model_type: 'blip-2',
    vision_config: encoder,
    qformer_config: { vocab_size: 30523, use_qformer_text_input: true },
  },
})
await run('stage2', {
  from: [join(folder, 'stage1', 'model'), { checkpoint, only: 'language model' }],
  tokenizer: checkpoint,
  config: { ...preset.config, vision_config: { ...preset.config.vision_config, ...encoder } },
})

/** Noise, and beside each image two captions of more tokens than a text has. */
async function makeImages(): Promise<void> {
  await mkdir(images, { recursive: true })
  for (let i = 0; i < IMAGES; i++) {
    const noise = { type: 'gaussian', mean: 60 + 10 * i, sigma: 40 } as const
    const picture = sharp({ create: { width: 256, height: 256, channels: 3, background: 'black', noise } })
    await picture.png().toFile(join(images, `${i}.png`))
    const caption = (from: number) => Array.from({ length: 40 }, (_, word) => `w${from + ((7 * word + i) % 900)}`)
    await writeFile(join(images, `${i}.txt`), `${caption(1000).join(' ')}\n${caption(3000).join(' ')}\n`)
  }
}

async function run(objective: 'stage1' | 'stage2', model: object): Promise<void> {
  if (only !== undefined && only !== objective) return
  const recipe = join(folder, `${objective}.yaml`)
  await writeFile(recipe, stringify({ objective, output: join(folder, objective), model, ...shared }))
  const cli = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'main.js')
  const child = spawn(process.execPath, [cli, 'train', recipe, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  process.on('SIGTERM', () => child.kill())
  const begun = performance.now()

  const peak = { VmHWM: 0, RssAnon: 0 }
  const watch = setInterval(() => {
    for (const field of ['VmHWM', 'RssAnon'] as const) peak[field] = Math.max(peak[field], memoryMb(child.pid, field))
  }, 100)
  const seconds: number[] = []
  let told = ''
  child.stderr.on('data', (text) => {
    told += text
    process.stderr.write(text)
  })
  let line = ''
  child.stdout.on('data', (text) => {
    const lines = (line + text).split('\n')
    line = lines.pop() as string
    for (const one of lines.map((json) => JSON.parse(json))) {
      process.stderr.write(`${JSON.stringify(one)}\n`)
      if (one.samples_per_second) seconds.push(Number((BATCH / one.samples_per_second).toFixed(1)))
    }
  })
  const code = await new Promise((done) => child.on('close', done))
  clearInterval(watch)
  if (code !== 0) throw new Error(`${objective} ended with ${code}`)
  console.log(
    JSON.stringify({
      objective,
      seconds_of_steps: seconds,
      minutes: Number(((performance.now() - begun) / 60_000).toFixed(1)),
      peak_mb: Math.round(peak.VmHWM),
      peak_anonymous_mb: Math.round(peak.RssAnon),
      planned: /memory +(about [^;]*);/.exec(told)?.[1],
    }),
  )
}

/** Of another process; 0 when it has ended. */
function memoryMb(pid: number | undefined, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1000
  } catch {
    return 0
  }
}
