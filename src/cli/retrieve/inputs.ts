/** The files that `retrieve` is given → images, texts, and which belong together. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DataError } from '../../errors.ts'
import { listAt, textAt } from '../../metrics/json.ts'
import { readJson } from '../../metrics/node-read.ts'
import { type RetrievalTexts, readRetrievalTexts } from '../../metrics/retrieval/annotations.ts'
import type { Pairs } from '../../metrics/retrieval/evaluate.ts'
import { readPairs } from '../../metrics/retrieval/json.ts'

export interface InputFlags {
  readonly images: string
  readonly texts: string
  readonly groundTruth?: string
}

export interface Inputs {
  /** Paths. */
  readonly images: readonly string[]
  readonly texts: readonly string[]
  /** Undefined where nobody says which belong together. */
  readonly pairs: Pairs | undefined
}

const imageFile = /\.(?:jpe?g|png|webp|avif|gif|tiff?)$/i

/** Throws DataError for files that are missing, odd, or do not go together. */
export async function readInputs({ images, texts: textsFile, groundTruth }: InputFlags): Promise<Inputs> {
  const { texts, named } = await readTexts(textsFile)
  const isFolder = (await stat(images).catch(() => undefined))?.isDirectory() ?? false
  if (!isFolder && !images.endsWith('.json'))
    throw new DataError(`${images}: expected a folder of images, or a .json list of paths`)
  if (named === undefined) {
    const paths = isFolder ? await imagesBelow(images) : await listedImages(images)
    if (groundTruth === undefined) return { images: paths, texts, pairs: undefined }
    const { name, content } = await readJson(groundTruth)
    return { images: paths, texts, pairs: readPairs(name, content, paths.length, texts.length) }
  }
  if (groundTruth !== undefined) {
    throw new DataError(
      `${groundTruth}: ${textsFile} says already which texts belong to which image; leave --ground-truth out`,
    )
  }
  if (!isFolder)
    throw new DataError(`${images}: ${textsFile} names the images; give --images the folder that they are in`)
  return { images: named.images.map((name) => join(images, name)), texts, pairs: named.pairs }
}

/** JSON by its name, else one text on each line. */
export async function readTexts(file: string): Promise<RetrievalTexts> {
  if (file.endsWith('.json')) {
    const read = readRetrievalTexts(await readJson(file))
    if (read.texts.length === 0) throw new DataError(`${file}: expected texts, found none`)
    return read
  }
  const content = await readFile(file, 'utf8').catch((cause) => {
    throw new DataError(`${file}: cannot be read: ${cause.code ?? cause}`, { cause })
  })
  const lines = content.replace(/^\ufeff/, '').split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  const blank = lines.findIndex((line) => line.trim() === '')
  if (blank !== -1) throw new DataError(`${file}:${blank + 1}: expected a text on every line, found none`)
  if (lines.length === 0) throw new DataError(`${file}: expected a text on every line, found an empty file`)
  return { texts: lines, named: undefined }
}

/** Every image in the folder and in those inside it, by path, in the order of the characters' codes. What begins with a dot is hidden. */
export async function imagesBelow(folder: string): Promise<string[]> {
  const found: Buffer[] = []
  const visit = async (path: string) => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue
      const inside = join(path, entry.name)
      if (entry.isDirectory()) await visit(inside)
      else if (imageFile.test(entry.name)) found.push(Buffer.from(inside)) // a link too: where it leads is seen when it is read
    }
  }
  await visit(folder)
  if (found.length === 0)
    throw new DataError(`${folder}: expected images (JPEG, PNG, WebP, AVIF, GIF, TIFF), found none below it`)
  return found.sort(Buffer.compare).map(String)
}

/** Paths start at the folder of the list. */
async function listedImages(file: string): Promise<string[]> {
  const { content } = await readJson(file)
  const paths = listAt(content, file).map((path, i) => textAt(path, `${file}[${i}]`))
  if (paths.length === 0) throw new DataError(`${file}: expected paths of images, found an empty list`)
  return paths.map((path) => (/^https?:/i.test(path) ? path : join(dirname(file), path)))
}
