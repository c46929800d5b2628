/** Large sets to score, made from a file of captions as the README of the reference tree's `metrics/caption` says. */
import type { CaptionedImages } from '../../src/metrics/caption/evaluate.ts'

/** The layout of COCO's captions_val2017.json. */
export interface CaptionFile {
  readonly images: readonly { readonly id: number }[]
  readonly annotations: readonly { readonly id: number; readonly image_id: number; readonly caption: string }[]
}

/** The captions of each image by annotation id, images by id. */
function captionLists({ images, annotations }: CaptionFile): string[][] {
  const captions = new Map<number, string[]>(images.map(({ id }) => [id, []]))
  for (const { image_id, caption } of annotations.toSorted((a, b) => a.id - b.id)) captions.get(image_id)!.push(caption)
  return [...captions.keys()].toSorted((a, b) => a - b).map((id) => captions.get(id)!)
}

/** `val2017-5000-heldout`: the first caption of each image against its others. */
export function heldOut(file: CaptionFile): CaptionedImages {
  const lists = captionLists(file)
  return { candidates: lists.map(([first]) => first!), references: lists.map((list) => list.slice(1)) }
}

/**
 * `scale-40504`: `count` images that take the captions of the file's in turn. The references are all of them; the candidate is one of
 * them for every third image, else one of another image.
 */
export function scaled(file: CaptionFile, count: number): CaptionedImages {
  const lists = captionLists(file)
  const at = (k: number) => lists[k % lists.length]!
  const numbers = Array.from({ length: count }, (_, k) => k)
  return {
    candidates: numbers.map((k) => (k % 3 === 0 ? at(k) : at(k * 31 + 17))[k % 5]!),
    references: numbers.map(at),
  }
}
