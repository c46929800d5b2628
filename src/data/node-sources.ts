/** Training sets on disk. Throws DataError with file and place. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, posix } from 'node:path'
import { CsvError, parse as parseCsv } from 'csv-parse/sync'
import { DataError } from '../errors.ts'
import { captionSamples, type NamedJson, vqaSamples } from './annotations.ts'
import { listSource } from './list.ts'
import { endsAsTar, type Shard, shardSource } from './node-shards.ts'
import type { Sample, Source } from './sample.ts'
import { parseJson, sampleFromRow } from './table.ts'

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
  /** Texts without images, one a line; in a .jsonl rows with `text`, which may have line breaks. */
  | { readonly kind: 'text'; readonly file: string }

export async function openSource(spec: SourceSpec, root: string): Promise<Source> {
  const at = (path: string) => (isAbsolute(path) ? path : join(root, path))
  switch (spec.kind) {
    case 'captions': {
      const samples = captionSamples(await readJson(spec.annotations, at))
      return listSource(spec.annotations, withImages(samples, spec.images, at))
    }
    case 'vqa': {
      const questions = await readJson(spec.questions, at)
      const answers = spec.annotations === undefined ? undefined : await readJson(spec.annotations, at)
      const samples = vqaSamples(questions, answers, imageNames(spec.image_name))
      return listSource(spec.questions, withImages(samples, spec.images, at))
    }
    case 'folder':
      return listSource(spec.images, withImages(await folderSamples(spec.images, at), spec.images, at))
    case 'table': {
      const samples = await tableSamples(spec.file, at)
      return listSource(spec.file, withImages(samples, spec.images ?? dirname(spec.file), at))
    }
    case 'shards':
      return shardSource(spec.files, await findShards(spec.files, at), { buffer: spec.buffer })
    case 'text': {
      if (spec.file.endsWith('.jsonl')) return listSource(spec.file, await tableSamples(spec.file, at))
      const lines = (await readText(at(spec.file))).split('\n').map((line) => line.trim())
      const samples = lines.map((line, i) => ({ key: `${spec.file}:${i + 1}`, texts: [line] }))
      return listSource(
        spec.file,
        samples.filter(({ texts: [line] }) => line !== ''),
      )
    }
  }
}

/** Path in a recipe → path on this machine. */
type Locate = (path: string) => string

/** The samples with the paths of their images, which were names in a folder. */
function withImages(samples: readonly Sample[], folder: string, at: Locate): Sample[] {
  return samples.map((sample) => {
    if (typeof sample.image !== 'string') throw new DataError(`${sample.key}: no image`)
    const imageKey = isAbsolute(sample.image) ? sample.image : posix.join(folder, sample.image)
    return { ...sample, image: at(imageKey), imageKey }
  })
}

/** Of `COCO_train2014_{:012}.jpg`: 9 → `COCO_train2014_000000000009.jpg`. */
function imageNames(pattern = '{}.jpg'): (id: number | string) => string {
  const [, start, width, end] = /^(.*)\{(?::0?(\d+))?\}(.*)$/.exec(pattern) ?? []
  if (start === undefined)
    throw new DataError(`image_name: expected {} or {:012} for the id of an image, found ${pattern}`)
  return (id) => `${start}${String(id).padStart(Number(width ?? 0), '0')}${end}`
}

async function folderSamples(folder: string, at: Locate): Promise<Sample[]> {
  const names = (await readdir(at(folder), { recursive: true }).catch((cause) => unreadable(at(folder), cause))).sort()
  const images = names.filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
  if (images.length === 0) throw new DataError(`${at(folder)}: there is no image in it`)
  const samples: Sample[] = []
  for (const image of images) {
    const file = join(at(folder), image.replace(/\.\w+$/, '.txt'))
    const text = await readText(file)
    samples.push({ ...sampleFromRow({ caption: text.split('\n') }, file), key: posix.join(folder, image), image })
  }
  return samples
}

async function tableSamples(file: string, at: Locate): Promise<Sample[]> {
  const text = await readText(at(file))
  if (file.endsWith('.csv')) return csvRows(text, file).map(({ row, line }) => sampleFromRow(row, `${file}:${line}`))
  return text.split('\n').flatMap((line, i) => {
    const where = `${file}:${i + 1}`
    return line.trim() === '' ? [] : [sampleFromRow(parseJson(line, where), where)]
  })
}

/** Rows as objects, each with the line that it ends on. */
function csvRows(text: string, file: string): { row: unknown; line: number }[] {
  try {
    const records: { record: unknown; info: { lines: number } }[] = parseCsv(text, {
      columns: true,
      info: true,
      skip_empty_lines: true,
      trim: true,
    })
    return records.map(({ record, info }) => ({ row: record, line: info.lines }))
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    throw new DataError(`${file}: not CSV: ${cause.message}`, { cause })
  }
}

/** The files that a pattern such as `shard-{000..123}.tar` names, which must all be there, and whole as far as can be told at once. */
async function findShards(pattern: string, at: Locate): Promise<Shard[]> {
  const [, start, first, last, end] = /^(.*)\{(\d+)\.\.(\d+)\}(.*)$/.exec(pattern) ?? []
  const names: string[] = []
  if (first === undefined) names.push(pattern)
  else {
    for (let number = Number(first); number <= Number(last); number++)
      names.push(`${start}${String(number).padStart(first.length, '0')}${end}`)
  }
  if (names.length === 0) throw new DataError(`${pattern}: the numbers of the shards go backwards`)
  const shards = names.map((name) => ({ name, path: at(name) }))
  for (const { path } of shards) {
    if (!(await endsAsTar(path).catch((cause) => unreadable(path, cause))))
      throw new DataError(`${path}: does not end as a tar file does; is it whole?`)
  }
  return shards
}

async function readJson(file: string, at: Locate): Promise<NamedJson> {
  return { json: parseJson(await readText(at(file)), file), name: file }
}

/** Without the mark that some programs put in front of UTF-8. */
async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((cause) => unreadable(file, cause))
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new DataError(`${file}: expected text in UTF-8; is it in another encoding?`, { cause })
  }
}

function unreadable(file: string, cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException
  throw new DataError(`${file}: ${code === 'ENOENT' ? 'no such file or folder' : message}`, { cause })
}
