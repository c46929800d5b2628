/** Batches of a run with what the graph reads: pixels, or the frozen encoder's output, computed or kept on disk. */
import { join } from 'node:path'
import type { Weighted } from '../data/mixture.ts'
import { type Batch, type Item, type Loader, openLoader } from '../data/node-loader.ts'
import type { Sample } from '../data/sample.ts'
import type { VisionConfig } from '../models/config.ts'
import type { Tensor } from '../runtime/device.ts'
import { float32 } from '../tasks/layout.ts'
import type { Feeds } from './feeds.ts'
import { type FeatureCache, openFeatureCache } from './node-feature-cache.ts'
import type { Graphs } from './node-graphs.ts'
import type { Setup } from './node-setup.ts'
import type { Recipe } from './recipe.ts'

export interface Batches {
  next(): Promise<Batch>
  /** What the training graph reads of a batch. `key` makes its draws its own. */
  feeds(batch: Batch, key: string): Promise<Feeds>
  /** Samples of the stream that the batches so far took. */
  readonly taken: number
  close(): Promise<void>
}

export interface BatchesOptions {
  readonly recipe: Recipe
  readonly setup: Setup
  readonly graphs: Graphs
  /** The run's folder. */
  readonly output: string
  readonly from: number
}

/** The stream of training batches from sample `from` on. */
export async function openBatches(
  { recipe, setup, graphs, output, from }: BatchesOptions,
  onBad: (key: string, reason: string) => void,
): Promise<Batches> {
  const { crop, mirror, cache_features } = recipe.data
  const cache = cache_features ? await openCache(recipe, setup, output) : undefined
  const loader = openLoader({
    parts: setup.train,
    seed: recipe.seed,
    from,
    batchSize: recipe.batch / recipe.accumulate,
    imageSize: setup.config.vision_config.image_size,
    view: crop || mirror ? { scale: crop ?? [1, 1], mirror } : undefined,
    fixedViews: cache !== undefined,
    needsPixels: (sample) => setup.objective.images !== 'none' && !cache?.has(cacheKey(sample)),
    onBad: ({ key }, error) => onBad(key, error.message),
  })
  let taken = from
  return {
    async next() {
      const batch = await loader.next()
      taken = batch.next
      return batch
    },
    feeds: async (batch, key) => ({
      ...setup.feeds(batch.items, key),
      ...(await imageFeeds(batch, setup, graphs, cache)),
    }),
    get taken() {
      return taken
    },
    async close() {
      await loader.close()
      await cache?.close()
    },
  }
}

export interface ValidationBatch {
  readonly items: readonly Item[]
  readonly feeds: Feeds
  readonly pixels: Float32Array
}

/** The first batches of the validation sets, always the same ones, with whole pictures. */
export async function validationBatches(
  { recipe, setup, graphs }: Pick<BatchesOptions, 'recipe' | 'setup' | 'graphs'>,
  count: number,
): Promise<ValidationBatch[]> {
  if (setup.validation.length === 0) return []
  const loader = validationLoader(recipe, setup, setup.validation)
  try {
    const found: ValidationBatch[] = []
    for (let i = 0; i < count; i++) {
      const batch = await loader.next()
      const feeds = {
        ...setup.feeds(batch.items, `validation:${i}`),
        ...(await imageFeeds(batch, setup, graphs, undefined)),
      }
      found.push({ items: batch.items, feeds, pixels: batch.pixels })
    }
    return found
  } finally {
    await loader.close()
  }
}

function validationLoader(recipe: Recipe, setup: Setup, parts: readonly Weighted[]): Loader {
  return openLoader({
    parts,
    seed: 0,
    from: 0,
    batchSize: recipe.batch / recipe.accumulate,
    imageSize: setup.config.vision_config.image_size,
    needsPixels: () => setup.objective.images !== 'none',
    ahead: 0,
  })
}

async function imageFeeds(
  { items, pixels, withPixels }: Batch,
  { config, objective }: Setup,
  graphs: Graphs,
  cache: FeatureCache | undefined,
): Promise<Feeds> {
  const size = config.vision_config.image_size
  switch (objective.images) {
    case 'none':
      return {}
    case 'pixels':
      return { pixel_values: float32(pixels, [items.length, 3, size, size]) }
    case 'hidden':
      return {
        image_hidden: cache
          ? await keptFeatures({ items, pixels, withPixels }, config.vision_config, graphs, cache)
          : await graphs.encode(float32(pixels, [items.length, 3, size, size])),
      }
  }
}

/** Features from the cache, which gets those that it lacks first. Each is computed alone, so that none depends on a batch. */
async function keptFeatures(
  { items, pixels, withPixels }: Pick<Batch, 'items' | 'pixels' | 'withPixels'>,
  { image_size: size, hidden_size: hiddenSize }: VisionConfig,
  graphs: Graphs,
  cache: FeatureCache,
): Promise<Tensor> {
  const keys = items.map(({ sample }) => cacheKey(sample))
  const one = 3 * size * size
  for (const [i, at] of withPixels.entries()) {
    const key = keys[at] as string
    if (cache.has(key)) continue
    const hidden = await graphs.encode(float32(pixels.subarray(i * one, (i + 1) * one), [1, 3, size, size]))
    await cache.write([key], hidden.data as Float32Array)
  }
  return sequenceFirst(await cache.read(keys), keys.length, hiddenSize)
}

/** Samples that show the same picture share its features. */
function cacheKey({ key, imageKey }: Sample): string {
  return imageKey ?? key
}

function openCache(recipe: Recipe, { config, weights }: Setup, output: string): Promise<FeatureCache> {
  const { image_size, patch_size, hidden_size } = config.vision_config
  const files = new Set(Array.from(weights.tensors.values(), ({ file }) => file))
  const identity = {
    image_size,
    crop: recipe.data.crop ?? null,
    mirror: recipe.data.mirror,
    seed: recipe.seed,
    weights: [...files],
  }
  return openFeatureCache(join(output, 'features'), identity, {
    patches: 1 + (image_size / patch_size) ** 2,
    hiddenSize: hidden_size,
  })
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
