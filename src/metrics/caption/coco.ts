/** COCO's caption files: annotations `{"images": [{"id"}], "annotations": [{"image_id", "caption"}]}`, results `[{"image_id", "caption"}]`. */
import { DataError } from '../../errors.ts'
import { type Id, idAt, type JsonFile, objectAt, objectsAt, shown, textAt } from '../json.ts'
import type { CaptionedImages } from './evaluate.ts'

export interface PairedCaptions extends CaptionedImages {
  /** (I) In the order of the annotation file. */
  readonly imageIds: readonly Id[]
  /** Images of the annotation file that have no result: they are not scored, as in the official evaluation. */
  readonly withoutResult: number
}

/** What is to be scored. DataError for odd files, unknown or repeated ids, images without a reference. */
export function pairCaptions(annotations: JsonFile, results: JsonFile): PairedCaptions {
  const references = readAnnotations(annotations)
  const candidates = readResults(results, references, annotations.name)
  const imageIds = [...references.keys()].filter((id) => candidates.has(id))
  return {
    imageIds,
    candidates: imageIds.map((id) => candidates.get(id)!),
    references: imageIds.map((id) => references.get(id)!),
    withoutResult: references.size - imageIds.length,
  }
}

/** The captions of each image, images in the order of `images`. */
function readAnnotations({ name, content }: JsonFile): Map<Id, string[]> {
  const file = objectAt(content, name)
  const captions = new Map<Id, string[]>()
  for (const { entry, at } of objectsAt(file.images, `${name}: images`)) {
    const id = idAt(entry.id, `${at}.id`)
    if (captions.has(id)) throw new DataError(`${at}: image id ${shown(id)} is there twice`)
    captions.set(id, [])
  }
  const annotationIds = new Set<Id>()
  for (const { entry, at } of objectsAt(file.annotations, `${name}: annotations`)) {
    const image = idAt(entry.image_id, `${at}.image_id`)
    const list = captions.get(image)
    if (list === undefined) throw new DataError(`${at}: image_id ${shown(image)} is not among the images of the file`)
    if (entry.id !== undefined) {
      const id = idAt(entry.id, `${at}.id`)
      if (annotationIds.has(id)) throw new DataError(`${at}: annotation id ${shown(id)} is there twice`)
      annotationIds.add(id)
    }
    list.push(textAt(entry.caption, `${at}: image_id ${shown(image)}: caption`))
  }
  return captions
}

function readResults(
  { name, content }: JsonFile,
  references: ReadonlyMap<Id, readonly string[]>,
  annotationFile: string,
): Map<Id, string> {
  const captions = new Map<Id, string>()
  for (const { entry, at } of objectsAt(content, name)) {
    const image = idAt(entry.image_id, `${at}.image_id`)
    const where = `${at}: image_id ${shown(image)}`
    const known = references.get(image)
    if (known === undefined)
      throw new DataError(`${where} is not in ${annotationFile}; are these results of another split?`)
    if (known.length === 0) throw new DataError(`${where} has no caption in ${annotationFile} to compare with`)
    if (captions.has(image)) throw new DataError(`${where} is there twice; one caption for each image is scored`)
    captions.set(image, textAt(entry.caption, `${where}: caption`))
  }
  if (captions.size === 0) throw new DataError(`${name}: expected captions of at least one image, found none`)
  return captions
}
