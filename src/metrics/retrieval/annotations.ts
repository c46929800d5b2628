/**
 * Texts to be retrieved, from parsed JSON: a list of texts; LAVIS's lists of the Karpathy splits (`[{"image": "val2014/….jpg", "caption":
 * ["…", …]}]`); or official COCO captions (`{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`).
 */
import { DataError } from '../../errors.ts'
import { type Id, idAt, type JsonFile, listAt, objectAt, objectsAt, shown, textAt } from '../json.ts'
import type { Pairs } from './evaluate.ts'

export interface RetrievalTexts {
  readonly texts: readonly string[]
  /** The images that the file names, with which texts belong to them; undefined for a plain list of texts. */
  readonly named: { readonly images: readonly string[]; readonly pairs: Pairs } | undefined
}

/** Images and texts are in the order of the file; COCO's texts in that of its images. DataError where it is none of the three. */
export function readRetrievalTexts({ name, content }: JsonFile): RetrievalTexts {
  if (!Array.isArray(content)) return paired(readCoco(name, content), name)
  if (typeof content[0] === 'string') {
    return { texts: content.map((text, i) => captionAt(text, `${name}[${i}]`)), named: undefined }
  }
  return paired(readKarpathy(name, content), name)
}

interface Captioned {
  readonly image: string
  readonly captions: readonly string[]
}

function readKarpathy(name: string, content: unknown): Captioned[] {
  return objectsAt(content, name).map(({ entry, at }) => ({
    image: textAt(entry.image, `${at}.image`),
    captions: listAt(entry.caption, `${at}.caption`).map((text, i) => captionAt(text, `${at}.caption[${i}]`)),
  }))
}

function readCoco(name: string, content: unknown): Captioned[] {
  const file = objectAt(content, name)
  const images = new Map<Id, { image: string; captions: string[] }>()
  for (const { entry, at } of objectsAt(file.images, `${name}: images`)) {
    const id = idAt(entry.id, `${at}.id`)
    if (images.has(id)) throw new DataError(`${at}: image ${shown(id)} is there twice`)
    images.set(id, { image: textAt(entry.file_name, `${at}.file_name`), captions: [] })
  }
  for (const { entry, at } of objectsAt(file.annotations, `${name}: annotations`)) {
    const image = images.get(idAt(entry.image_id, `${at}.image_id`))
    if (image === undefined) throw new DataError(`${at}: image ${shown(entry.image_id)} is not among the images`)
    image.captions.push(captionAt(entry.caption, `${at}.caption`))
  }
  return [...images.values()]
}

function paired(captioned: readonly Captioned[], name: string): RetrievalTexts {
  const seen = new Set<string>()
  const texts: string[] = []
  const imageOfTexts: number[] = []
  const textsOfImages = captioned.map(({ image, captions }, i) => {
    if (seen.has(image)) throw new DataError(`${name}: image ${shown(image)} is there twice`)
    if (captions.length === 0) throw new DataError(`${name}: image ${shown(image)} has no caption`)
    seen.add(image)
    return captions.map((caption) => {
      imageOfTexts.push(i)
      return texts.push(caption) - 1
    })
  })
  return { texts, named: { images: [...seen], pairs: { textsOfImages, imageOfTexts } } }
}

function captionAt(value: unknown, where: string): string {
  const text = textAt(value, where)
  if (text.trim() === '') throw new DataError(`${where}: the text is empty`)
  return text
}
