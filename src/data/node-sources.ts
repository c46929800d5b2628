/** Training sets on disk. Throws DataError with file and place. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join } from 'node:path'
import { parse as parseCsv } from 'csv-parse/sync'
import { DataError } from '../errors.ts'
import { captionSamples, vqaSamples } from './annotations.ts'
import { listSource } from './list.ts'
import { shardSource } from './node-shards.ts'
import type { Sample, Source } from './sample.ts'
import { type Fields, sampleFromFields } from './table.ts'

/** A data set as a recipe names it. Paths are absolute, or relative to `root`. */
export type SourceSpec =
  /** COCO's captions file, or LAVIS's list of `{image, caption}`. */
  | { readonly kind: 'captions'; readonly annotations: string; readonly images: string }
  /** VQA v2's two files, or LAVIS's list of `{image, question, answer}` in `questions` alone. */
  | {
      readonly kind: 'vqa'
      readonly questions: string
      readonly annotations?: string | undefined
      readonly images: string
      /** How image ids are files, e.g. `COCO_train2014_{:012}.jpg`. */
      readonly image_name?: string | undefined
    }
  /** A folder of images with a text file of the same name beside each: one caption a line. */
  | { readonly kind: 'folder'; readonly images: string }
  /** Rows with `image` and `caption` (or `question` and `answer`): JSON lines (.jsonl) or CSV with a head line. */
  | { readonly kind: 'table'; readonly file: string; readonly images?: string | undefined }
  /** WebDataset shards: `{000..123}` in the name stands for numbers. */
  | { readonly kind: 'shards'; readonly files: string; readonly buffer?: number | undefined }
  /** Texts without images, one a line. */
  | { readonly kind: 'text'; readonly file: string }

export async function openSource(spec: SourceSpec, root: string): Promise<Source> {
  const at = (path: string) => (isAbsolute(path) ? path : join(root, path))
  switch (spec.kind) {
    case 'captions':
      return images(
        spec.annotations,
        captionSamples(await readJson(at(spec.annotations)), spec.annotations),
        at(spec.images),
      )
    case 'vqa': {
      const annotations = spec.annotations === undefined ? undefined : await readJson(at(spec.annotations))
      const questions = await readJson(at(spec.questions))
      const samples = vqaSamples(questions, annotations, spec.questions, (id) => imageName(spec.image_name, id))
      return images(spec.questions, samples, at(spec.images))
    }
    case 'folder':
      return listSource(spec.images, await folderSamples(at(spec.images)))
    case 'table':
      return images(spec.file, await tableSamples(at(spec.file)), at(spec.images ?? dirname(spec.file)))
    case 'shards':
      return shardSource(
        spec.files,
        await shardFiles(at(spec.files)),
        spec.buffer === undefined ? {} : { buffer: spec.buffer },
      )
    case 'text': {
      const lines = (await readText(at(spec.file))).split('\n')
      return listSource(
        spec.file,
        lines.flatMap((line, i) =>
          line.trim() === '' ? [] : [{ key: `${spec.file}:${i + 1}`, texts: [line.trim()] }],
        ),
      )
    }
  }
}

/** The samples with the paths of their images, and a number for each image that has none. */
function images(name: string, samples: readonly Sample[], folder: string): Source {
  const ids = new Map<string, number>()
  return listSource(
    name,
    samples.map((sample) => {
      if (typeof sample.image !== 'string') throw new DataError(`${sample.key}: no image`)
      const image = isAbsolute(sample.image) ? sample.image : join(folder, sample.image)
      if (!ids.has(image)) ids.set(image, ids.size)
      return { imageId: ids.get(image) as number, ...sample, image }
    }),
  )
}

/** `COCO_train2014_{:012}.jpg` with 9 → `COCO_train2014_000000000009.jpg`. */
function imageName(pattern = '{}.jpg', id: string | number): string {
  return pattern.replace(/\{(?::0?(\d+))?\}/, (_, width?: string) => String(id).padStart(Number(width ?? 0), '0'))
}

async function folderSamples(folder: string): Promise<Sample[]> {
  const names = (await readdir(folder, { recursive: true }).catch((cause) => unreadable(folder, cause))).sort()
  const all = new Set(names)
  const samples: Sample[] = []
  for (const name of names.filter((one) => /\.(jpe?g|png|webp)$/i.test(one))) {
    const textFile = `${name.slice(0, -extname(name).length)}.txt`
    if (!all.has(textFile)) throw new DataError(`${join(folder, name)}: there is no ${basename(textFile)} beside it`)
    const texts = (await readText(join(folder, textFile))).split('\n').map((line) => line.trim())
    samples.push({
      key: name,
      image: join(folder, name),
      imageId: samples.length,
      texts: texts.filter((text) => text !== ''),
    })
  }
  if (samples.length === 0) throw new DataError(`${folder}: there is no image in it`)
  return samples
}

async function tableSamples(file: string): Promise<Sample[]> {
  const text = await readText(file)
  const where = basename(file)
  if (file.endsWith('.csv')) {
    const rows = csvRows(text, file)
    return rows.map((row, i) => sampleFromFields(row, `${where}: row ${i + 1}`))
  }
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return []
    try {
      return [sampleFromFields(JSON.parse(line) as Fields, `${where}:${i + 1}`)]
    } catch (cause) {
      if (cause instanceof DataError) throw cause
      throw new DataError(`${file}:${i + 1}: not JSON: ${(cause as Error).message}`, { cause })
    }
  })
}

function csvRows(text: string, file: string): Fields[] {
  try {
    return parseCsv(text, { columns: true, bom: true, skip_empty_lines: true, trim: true })
  } catch (cause) {
    throw new DataError(`${file}: not CSV: ${(cause as Error).message}`, { cause })
  }
}

/** The files that a pattern such as `shard-{000..123}.tar` names, which must all be there. */
async function shardFiles(pattern: string): Promise<string[]> {
  const [, start, first, last, end] = /^(.*)\{(\d+)\.\.(\d+)\}(.*)$/.exec(pattern) ?? []
  const files =
    first === undefined || last === undefined
      ? [pattern]
      : Array.from(
          { length: Math.max(Number(last) - Number(first) + 1, 0) },
          (_, i) => `${start}${String(Number(first) + i).padStart(first.length, '0')}${end}`,
        )
  if (files.length === 0) throw new DataError(`${pattern}: the numbers of the shards go backwards`)
  for (const file of files) await stat(file).catch((cause) => unreadable(file, cause))
  return files
}

async function readJson(file: string): Promise<unknown> {
  const text = await readText(file)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DataError(`${file}: not JSON: ${(cause as Error).message}`, { cause })
  }
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause) => unreadable(file, cause))
}

function unreadable(file: string, cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException
  throw new DataError(`${file}: ${code === 'ENOENT' ? 'no such file or folder' : message}`, { cause })
}
