/**
 * COCO's caption files: annotations `{"images": [{"id"}], "annotations": [{"image_id", "caption"}]}`, results `[{"image_id",
 * "caption"}]`. NoCaps adds a `domain` to each image. What `blip2 caption --json` prints is a result too: its `image` is looked up
 * among the `file_name` of the images.
 */
import { DataError } from '../../errors.ts'
import { type Id, idAt, type JsonFile, lookalike, objectAt, objectsAt, shown, textAt } from '../json.ts'
import type { CaptionedImages } from './evaluate.ts'

export interface PairedCaptions extends CaptionedImages {
  /** (I) In the order of the annotation file. */
  readonly imageIds: readonly Id[]
  /** (I) Where the annotation file has them. */
  readonly domains?: readonly string[]
  /** Images of the annotation file that have no result: they are not scored, as in the official evaluation. */
  readonly withoutResult: readonly Id[]
}

/** What is to be scored. DataError for odd files, unknown or repeated ids, images without a reference. */
export function pairCaptions(annotations: JsonFile, results: JsonFile): PairedCaptions {
  const { captions, domains, files } = readAnnotations(annotations)
  const candidates = readResults(results, captions, files, annotations.name)
  const imageIds = [...captions.keys()].filter((id) => candidates.has(id))
  return {
    imageIds,
    candidates: imageIds.map((id) => candidates.get(id)!),
    references: imageIds.map((id) => captions.get(id)!),
    ...(domains.size > 0 && { domains: imageIds.map((id) => domains.get(id)!) }),
    withoutResult: [...captions.keys()].filter((id) => !candidates.has(id)),
  }
}

interface Annotations {
  /** The captions of each image, images in the order of `images`. */
  readonly captions: ReadonlyMap<Id, readonly string[]>
  /** Of all images, or of none. */
  readonly domains: ReadonlyMap<Id, string>
  /** The images that have a file name, without its folders. */
  readonly files: ReadonlyMap<string, readonly Id[]>
}

function readAnnotations({ name, content }: JsonFile): Annotations {
  const file = objectAt(content, name)
  const captions = new Map<Id, string[]>()
  const domains = new Map<Id, string>()
  const files = new Map<string, Id[]>()
  for (const { entry, at } of objectsAt(file.images, `${name}: images`)) {
    const id = idAt(entry.id, `${at}.id`)
    if (captions.has(id)) throw new DataError(`${at}: image id ${shown(id)} is there twice`)
    if (domains.size > 0 || (captions.size === 0 && entry.domain !== undefined))
      domains.set(id, textAt(entry.domain, `${at}: image id ${shown(id)}: domain`))
    captions.set(id, [])
    if (typeof entry.file_name === 'string') {
      const key = fileName(entry.file_name)
      files.set(key, [...(files.get(key) ?? []), id])
    }
  }
  const annotationIds = new Set<Id>()
  for (const { entry, at } of objectsAt(file.annotations, `${name}: annotations`)) {
    const image = idAt(entry.image_id, `${at}.image_id`)
    const list = captions.get(image)
    if (list === undefined) throw new DataError(`${at}: image_id ${shown(image)} is not among the images of the file`)
    // The files that LAVIS makes repeat the image's id.
    if (entry.id !== undefined && entry.id !== image) {
      const id = idAt(entry.id, `${at}.id`)
      if (annotationIds.has(id)) throw new DataError(`${at}: annotation id ${shown(id)} is there twice`)
      annotationIds.add(id)
    }
    list.push(textAt(entry.caption, `${at}: image_id ${shown(image)}: caption`))
  }
  return { captions, domains, files }
}

function readResults(
  { name, content }: JsonFile,
  references: Annotations['captions'],
  files: Annotations['files'],
  annotationFile: string,
): Map<Id, string> {
  const captions = new Map<Id, string>()
  for (const { entry, at } of objectsAt(content, name)) {
    const image = imageOf(entry, at, files, annotationFile)
    const where = `${at}: image_id ${shown(image)}`
    const known = references.get(image)
    if (known === undefined) {
      const other = lookalike(image)
      const hint = references.has(other) ? `${shown(other)} is another id` : 'are these results of another split?'
      throw new DataError(`${where} is not in ${annotationFile}; ${hint}`)
    }
    if (known.length === 0) throw new DataError(`${where} has no caption in ${annotationFile} to compare with`)
    if (captions.has(image)) throw new DataError(`${where} is there twice; one caption for each image is scored`)
    captions.set(image, captionOf(entry, where))
  }
  if (captions.size === 0) throw new DataError(`${name}: expected captions of at least one image, found none`)
  return captions
}

type Entry = Readonly<Record<string, unknown>>

function imageOf(entry: Entry, at: string, files: Annotations['files'], annotationFile: string): Id {
  if (entry.image_id !== undefined || typeof entry.image !== 'string') return idAt(entry.image_id, `${at}.image_id`)
  const [id, ...others] = files.get(fileName(entry.image)) ?? []
  if (id !== undefined && others.length === 0) return id
  const found = id === undefined ? 'no image' : `${others.length + 1} images`
  throw new DataError(`${at}: image ${shown(entry.image)}: ${found} of ${annotationFile} with this file_name`)
}

function captionOf(entry: Entry, where: string): string {
  if (typeof entry.error === 'string') throw new DataError(`${where} has an error for a caption: ${entry.error}`)
  return textAt(entry.caption ?? entry.pred_caption, `${where}: caption`)
}

function fileName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}
