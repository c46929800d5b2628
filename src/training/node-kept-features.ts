/** The frozen encoder's output for training batches, kept on disk, so that an image passes the encoder once. */
import { join } from 'node:path'
import { digestBlocks } from '../checkpoints/node-digest.ts'
import type { Batch } from '../data/node-loader.ts'
import type { Sample } from '../data/sample.ts'
import { partOf } from '../models/names/names.ts'
import type { Tensor } from '../runtime/device.ts'
import { float32 } from '../tasks/layout.ts'
import { openFeatureCache } from './node-feature-cache.ts'
import type { Graphs } from './node-graphs.ts'
import type { Setup } from './node-setup.ts'
import type { Recipe } from './recipe.ts'

export interface KeptFeatures {
  has(sample: Sample): boolean
  /** Features (patches, batch, hidden_size) of a batch with the pixels of those that are not kept yet. */
  encode(batch: Batch): Promise<Tensor>
  /** What is kept so far. */
  readonly saved: Savings
  close(): Promise<void>
}

export interface Savings {
  readonly images: number
  readonly bytes: number
  /** That the encoder takes for an image, at best; null before it has encoded one. */
  readonly seconds: number | null
}

export interface KeptFeaturesOptions {
  readonly recipe: Recipe
  readonly setup: Setup
  readonly graphs: Graphs
  /** The run's folder. */
  readonly output: string
  /** What an earlier part of the run has measured. */
  readonly encoderSeconds: number | null
}

export async function openKeptFeatures(options: KeptFeaturesOptions): Promise<KeptFeatures> {
  const { recipe, setup, graphs, output } = options
  const { image_size: size, hidden_size } = setup.config.vision_config
  const identity = {
    image_size: size,
    crop: recipe.data.crop ?? null,
    mirror: recipe.data.mirror,
    seed: recipe.seed,
    weights: await encoderDigests(setup),
  }
  const cache = await openFeatureCache(join(output, 'features'), identity, featureShape(setup))
  let seconds = options.encoderSeconds

  /** One image at a time, so that its features do not depend on a batch. */
  async function add(key: string, pixels: Float32Array): Promise<void> {
    const begun = performance.now()
    const hidden = await graphs.encode(float32(pixels, [1, 3, size, size]))
    seconds = Math.min(seconds ?? Number.POSITIVE_INFINITY, (performance.now() - begun) / 1000)
    await cache.write([key], hidden.data as Float32Array)
  }

  return {
    has: (sample) => cache.has(keyOf(sample)),
    async encode({ items, pixels, withPixels }) {
      const keys = items.map(({ sample }) => keyOf(sample))
      const one = 3 * size * size
      for (const [i, at] of withPixels.entries()) {
        const key = keys[at] as string
        if (!cache.has(key)) await add(key, pixels.subarray(i * one, (i + 1) * one))
      }
      return sequenceFirst(await cache.read(keys), keys.length, hidden_size)
    },
    get saved() {
      return { images: cache.count, bytes: cache.bytes, seconds }
    },
    close: () => cache.close(),
  }
}

/** Bytes of the features of one image. */
export function featureBytes(setup: Pick<Setup, 'config'>): number {
  const { patches, hiddenSize } = featureShape(setup)
  return 2 * patches * hiddenSize
}

function featureShape({ config }: Pick<Setup, 'config'>) {
  const { image_size, patch_size, hidden_size } = config.vision_config
  return { patches: 1 + (image_size / patch_size) ** 2, hiddenSize: hidden_size }
}

/** Samples that show the same picture share its features. */
function keyOf({ key, imageKey }: Sample): string {
  return imageKey ?? key
}

async function encoderDigests({ weights }: Setup): Promise<string[]> {
  const encoder = [...weights.tensors].filter(([name]) => partOf(name) === 'image encoder')
  const files = new Set(encoder.map(([, { file }]) => file))
  return (await Promise.all(Array.from(files, digestBlocks))).map(({ sha256 }) => sha256)
}

/** (batch, patches, size) → (patches, batch, size). */
function sequenceFirst(data: Float32Array, batch: number, size: number): Tensor {
  const patches = data.length / batch / size
  const out = new Float32Array(data.length)
  for (let item = 0; item < batch; item++) {
    for (let patch = 0; patch < patches; patch++) {
      const from = (item * patches + patch) * size
      out.set(data.subarray(from, from + size), (patch * batch + item) * size)
    }
  }
  return float32(out, [patches, batch, size])
}
