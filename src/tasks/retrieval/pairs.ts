import type { Tops } from './tops.ts'

/** Image and text pairs, grouped by image: those of image i are texts[offsets[i]] up to texts[offsets[i + 1]], ascending. */
export interface GroupedPairs {
  /** (images + 1) */
  readonly offsets: Int32Array
  readonly texts: Int32Array
}

/** Every pair that either direction asks for, once. `textsOfImages` has the candidates of each image, `imagesOfTexts` of each text. */
export function groupPairs(textsOfImages: Tops, imagesOfTexts: Tops): GroupedPairs {
  const images = textsOfImages.rows.length
  // Counting sort by image, with the pairs that both directions ask for in it twice.
  const ends = new Int32Array(images + 1)
  for (const image of imagesOfTexts.indices) ends[image + 1]!++
  for (let image = 0; image < images; image++) ends[image + 1]! += ends[image]! + textsOfImages.k
  const next = ends.slice()
  const texts = new Int32Array(ends[images]!)
  textsOfImages.rows.forEach(({ indices }, image) => {
    texts.set(indices, next[image]!)
    next[image]! += indices.length
  })
  imagesOfTexts.rows.forEach(({ indices }, text) => {
    for (const image of indices) texts[next[image]!++] = text
  })

  const offsets = new Int32Array(images + 1)
  let kept = 0
  for (let image = 0; image < images; image++) {
    const start = kept
    for (const text of texts.subarray(ends[image]!, ends[image + 1]!).sort()) {
      if (kept === start || texts[kept - 1] !== text) texts[kept++] = text
    }
    offsets[image + 1] = kept
  }
  return { offsets, texts: texts.slice(0, kept) }
}

/** The texts that image `image` is matched with, ascending. */
export function textsOf({ offsets, texts }: GroupedPairs, image: number): Int32Array {
  return texts.subarray(offsets[image]!, offsets[image + 1]!)
}
