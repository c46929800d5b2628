/** Batches of a run with what the graph reads: pixels, or the frozen encoder's output, computed or kept on disk. */
import { type Batch, type Item, openLoader } from '../data/node-loader.ts'
import { float32 } from '../tasks/layout.ts'
import type { Feeds } from './feeds.ts'
import type { Graphs } from './node-graphs.ts'
import { type KeptFeatures, type KeptFeaturesOptions, openKeptFeatures, type Savings } from './node-kept-features.ts'
import type { Setup } from './node-setup.ts'
import type { Recipe } from './recipe.ts'

export interface Batches {
  /** Rejects with a DataError when too many images cannot be read. */
  next(): Promise<Batch>
  /** What the training graph reads of a batch. `key` makes its draws its own. */
  feeds(batch: Batch, key: string): Promise<Feeds>
  /** Samples of the stream that the batches so far took. */
  readonly taken: number
  /** Where features are kept. */
  readonly saved: Savings | undefined
  close(): Promise<void>
}

export interface BatchesOptions extends KeptFeaturesOptions {
  /** Number of the first sample. */
  readonly from: number
  /** Told of a sample that is left out. */
  readonly onBad: (key: string, reason: string) => Promise<void>
}

/** The stream of training batches from sample `from` on. */
export async function openBatches(options: BatchesOptions): Promise<Batches> {
  const { recipe, setup, graphs, from, onBad } = options
  const { crop, mirror, cache_features } = recipe.data
  const features = cache_features ? await openKeptFeatures(options) : undefined
  const bad: { readonly key: string; readonly reason: string }[] = []
  const loader = openLoader({
    parts: setup.train,
    seed: recipe.seed,
    from,
    batchSize: partSize(recipe),
    imageSize: setup.config.vision_config.image_size,
    view: { scale: crop, mirror },
    fixedViews: features !== undefined,
    needsPixels: (sample) => setup.objective.images !== 'none' && !features?.has(sample),
    onBad: ({ key }, error) => bad.push({ key, reason: error.message }),
  })
  let taken = from
  return {
    async next() {
      try {
        const batch = await loader.next()
        taken = batch.next
        return batch
      } finally {
        for (const { key, reason } of bad.splice(0)) await onBad(key, reason)
      }
    },
    feeds: async (batch, key) => ({
      ...setup.feeds(batch.items, key),
      ...(await imageFeeds(batch, setup, graphs, features)),
    }),
    get taken() {
      return taken
    },
    get saved() {
      return features?.saved
    },
    async close() {
      await loader.close()
      await features?.close()
    },
  }
}

export interface ValidationBatch {
  readonly items: readonly Item[]
  readonly feeds: Feeds
  readonly pixels: Float32Array
}

/** The first batches of the validation sets, always the same ones, with whole pictures: at most `most`, as many as the sets fill. */
export async function validationBatches(
  { recipe, setup, graphs }: Pick<BatchesOptions, 'recipe' | 'setup' | 'graphs'>,
  most: number,
): Promise<ValidationBatch[]> {
  if (setup.validation.length === 0) return []
  const sizes = await Promise.all(setup.validation.map(({ source }) => source.size(most * partSize(recipe))))
  const whole = Math.floor(sizes.reduce((sum, size) => sum + size) / partSize(recipe))
  const count = Math.min(most, Math.max(1, whole))
  const loader = openLoader({
    parts: setup.validation,
    seed: 0,
    from: 0,
    batchSize: partSize(recipe),
    imageSize: setup.config.vision_config.image_size,
    needsPixels: () => setup.objective.images !== 'none',
    ahead: 0,
  })
  try {
    const found: ValidationBatch[] = []
    for (let i = 0; i < count; i++) {
      const batch = await loader.next()
      const feeds = {
        ...setup.feeds(batch.items, `validation:${i}`),
        ...(await imageFeeds(batch, setup, graphs)),
      }
      found.push({ items: batch.items, feeds, pixels: batch.pixels })
    }
    return found
  } finally {
    await loader.close()
  }
}

/** Samples that are computed together. */
export function partSize({ batch, accumulate }: Recipe): number {
  return batch / accumulate
}

async function imageFeeds(
  batch: Batch,
  { config, objective }: Setup,
  graphs: Graphs,
  features?: KeptFeatures,
): Promise<Feeds> {
  const size = config.vision_config.image_size
  const pixels = () => float32(batch.pixels, [batch.items.length, 3, size, size])
  switch (objective.images) {
    case 'none':
      return {}
    case 'pixels':
      return { pixel_values: pixels() }
    case 'hidden':
      return { image_hidden: await (features ? features.encode(batch) : graphs.encode(pixels())) }
  }
}
