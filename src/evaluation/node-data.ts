/** The official files of a benchmark, in the data folder. */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { errorCode, fileError } from '../checkpoints/node-errors.ts'
import { DataError } from '../errors.ts'
import { readJson } from '../metrics/node-read.ts'
import { captionDataset } from './captions.ts'
import type { Benchmark, Place } from './config.ts'
import { gqaDataset } from './gqa.ts'
import { digestFile, type FileDigest } from './node-fingerprint.ts'
import type { Plan } from './plan.ts'
import type { Dataset, Sample } from './sample.ts'
import { vqaDataset } from './vqa.ts'

export interface Data {
  readonly dataset: Dataset
  /** Of the annotation files. */
  readonly files: readonly FileDigest[]
}

/** Reads and checks the annotations. DataError for what is missing, with where it is to be had, and for odd files. */
export async function readData(benchmark: Benchmark, plan: Plan, folder: string): Promise<Data> {
  const split = benchmark.splits[plan.split]!
  const places = Object.entries(split).flatMap(([kind, place]) => (kind === 'images' || !place ? [] : [place]))
  await requireFiles(places, benchmark, plan, folder)
  return {
    dataset: await readDataset(benchmark, plan, folder),
    files: await Promise.all(places.map(({ path }) => digestFile(join(folder, path)))),
  }
}

async function readDataset(benchmark: Benchmark, { split, preset }: Plan, folder: string): Promise<Dataset> {
  const read = ({ path }: Place) => readJson(join(folder, path))
  switch (benchmark.task) {
    case 'caption':
    case 'retrieval': {
      const { captions, images } = benchmark.splits[split]!
      return captionDataset(await read(captions), images.path)
    }
    case 'vqa': {
      const { questions, annotations, images } = benchmark.splits[split]!
      const { accuracy } = benchmark.presets[preset]!
      return vqaDataset(await read(questions), annotations && (await read(annotations)), images.path, accuracy)
    }
    case 'gqa': {
      const { questions, images } = benchmark.splits[split]!
      return gqaDataset(await read(questions), images.path, benchmark.presets[preset]!.accuracy)
    }
  }
}

async function requireFiles(places: readonly Place[], benchmark: Benchmark, plan: Plan, folder: string): Promise<void> {
  const there = await Promise.all(places.map(({ path }) => isFile(join(folder, path))))
  const missing = places.filter((_, i) => !there[i])
  if (missing.length === 0) return
  throw new DataError(
    [
      `${plan.split} split of ${benchmark.title}: not found:`,
      ...missing.map(({ path, from }) => `  ${join(resolve(folder), path)}\n    from ${from}`),
      advice(benchmark, folder),
    ].join('\n'),
  )
}

/** The samples whose image is not there. DataError where that is so for all of them, or for any unless `skip` says that they may. */
export async function missingImages(
  samples: readonly Sample[],
  benchmark: Benchmark,
  plan: Plan,
  folder: string,
  skip: boolean,
): Promise<Sample[]> {
  const folders = new Map<string, Set<string>>()
  const missing: Sample[] = []
  for (const sample of samples) {
    const path = join(folder, sample.image)
    const parent = dirname(path)
    if (!folders.has(parent)) folders.set(parent, await namesIn(parent))
    if (!folders.get(parent)!.has(path.slice(parent.length + 1))) missing.push(sample)
  }
  const [first] = missing
  if (first === undefined || (skip && missing.length < samples.length)) return missing
  const others = missing.length === 1 ? '' : `, and ${missing.length - 1} more`
  throw new DataError(
    [
      `${plan.split} split of ${benchmark.title}: images not found:`,
      `  ${join(resolve(folder), first.image)}${others}\n    from ${benchmark.splits[plan.split]!.images.from}`,
      advice(benchmark, folder),
    ].join('\n'),
  )
}

function advice({ licence }: Benchmark, folder: string): string {
  return `The data folder is ${resolve(folder)}; --data or BLIP2_DATA names another. docs/evaluation.md has its layout. Licence: ${licence}`
}

async function namesIn(folder: string): Promise<Set<string>> {
  try {
    return new Set(await readdir(folder))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return new Set()
    throw fileError(error, folder)
  }
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
