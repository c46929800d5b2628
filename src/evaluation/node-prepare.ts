/** Everything about a run that is known before a model is loaded. */
import { join } from 'node:path'
import type { FoundConfig } from './node-configs.ts'
import { type Data, missingImages, readData } from './node-data.ts'
import type { Plan } from './plan.ts'
import type { Unreadable } from './predict.ts'
import type { Sample } from './sample.ts'

export interface PrepareOptions {
  /** Where the official files are. */
  readonly dataFolder: string
  /** Only so many samples, from the first on. */
  readonly limit?: number | undefined
  /** Go on without the samples whose image is missing or cannot be read. */
  readonly skipUnreadable: boolean
}

export interface Prepared extends PrepareOptions {
  readonly config: FoundConfig
  readonly plan: Plan
  readonly data: Data
  /** What is to be asked, without what is missing. */
  readonly samples: readonly Sample[]
  readonly missing: readonly Unreadable[]
}

/** Reads the annotations and looks for the images. DataError for what is missing and for odd files. */
export async function prepare(config: FoundConfig, plan: Plan, options: PrepareOptions): Promise<Prepared> {
  const { dataFolder, limit, skipUnreadable } = options
  const data = await readData(config.benchmark, plan, dataFolder)
  const samples = data.dataset.samples.slice(0, limit)
  const missing = new Set(await missingImages(samples, config.benchmark, plan, dataFolder, skipUnreadable))
  return {
    ...options,
    config,
    plan,
    data,
    samples: samples.filter((sample) => !missing.has(sample)),
    missing: [...missing].map(({ id, image }) => ({
      id,
      image: join(dataFolder, image),
      reason: 'there is no such file',
    })),
  }
}
