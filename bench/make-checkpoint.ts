/**
 * A checkpoint of full size with random weights, in the published layout: sharded float32 safetensors and config.json.
 * The largest shard holds about 10 GB, as on the hub. Takes about a minute and 15 GB of disk for blip2-opt-2.7b, 5 GB for
 * blip2_3rdparty_retrieval.
 *
 *   node build/bench/make-checkpoint.js [MODEL] [FOLDER]
 */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors } from '../src/checkpoints/node.ts'
import { tensorsOf } from '../src/cli/inspect/tensors.ts'
import { type Blip2Config, isRetrievalConfig, type RetrievalConfig } from '../src/models/config.ts'
import { findPreset } from '../src/models/presets.ts'
import { benchTokenizer, benchVocabulary } from './tokenizer.ts'

const SHARD_BYTES = 10e9

/** Writes the checkpoint; its weights only if they are not there already. */
export async function makeCheckpoint(config: Blip2Config | RetrievalConfig, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(config, undefined, 2))
  if (isRetrievalConfig(config)) {
    // [DEC], the last one, is not in published vocabularies.
    await writeFile(join(folder, 'vocab.txt'), benchVocabulary(config.qformer_config.vocab_size - 1))
  } else await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(benchTokenizer(config.text_config.vocab_size)))
  const index = join(folder, 'model.safetensors.index.json')
  if (existsSync(index)) return

  const shards = shardsOf(tensorsOf(config).map(({ name, shape }) => [name, shape]))
  const weightMap: Record<string, string> = {}
  for (const [i, shard] of shards.entries()) {
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`
    const tensors = shard.map(([name, shape]) => ({
      name,
      shape,
      dtype: 'F32' as const,
      data: randomWeight(name, shape),
    }))
    await writeSafetensors(join(folder, file), tensors, { format: 'pt' })
    for (const [name] of shard) weightMap[name] = file
    process.stderr.write(`${file}: ${shard.length} tensors\n`)
  }
  await writeFile(index, JSON.stringify({ metadata: {}, weight_map: weightMap }))
}

type NamedShape = readonly [name: string, shape: readonly number[]]

function shardsOf(weights: readonly NamedShape[]): NamedShape[][] {
  const shards: NamedShape[][] = [[]]
  let bytes = 0
  for (const weight of weights) {
    const size = 4 * elements(weight[1])
    if (bytes + size > SHARD_BYTES) {
      shards.push([])
      bytes = 0
    }
    shards.at(-1)?.push(weight)
    bytes += size
  }
  return shards
}

/** 16 MB of normal numbers (deviation 0.02), made once: a large weight repeats them from ever other starts. */
const noise = ((): Float32Array => {
  let state = 1
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 0) + 1) / 2 ** 32
  }
  return Float32Array.from(
    { length: 4_000_037 },
    () => 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  )
})()
let start = 0

function* randomWeight(name: string, shape: readonly number[]): Generator<Uint8Array> {
  let rest = elements(shape)
  if (shape.length === 1 && !name.endsWith('bias')) {
    yield bytesOf(new Float32Array(rest).fill(1))
    return
  }
  while (rest > 0) {
    const piece = noise.subarray(start, Math.min(noise.length, start + rest))
    yield bytesOf(piece)
    rest -= piece.length
    start = (start + piece.length) % noise.length
  }
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)
const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
const number = (i: number): string => String(i).padStart(5, '0')

if (import.meta.url === new URL(`file://${process.argv[1]}`).href) {
  const [model = 'Salesforce/blip2-opt-2.7b', folder = '.cache/bench-checkpoint'] = process.argv.slice(2)
  const preset = findPreset(model)
  if (!preset) throw new Error(`${model}: not a published model; see blip2 models`)
  await makeCheckpoint(preset.config, folder)
}
