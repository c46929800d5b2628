import { DataError } from '../../errors.ts'
import { type Recall, recall, type ScoreMatrix, type TieRule } from './recall.ts'

/** Which texts belong to which image, by index. */
export interface Pairs {
  /** (images) At least one text each. */
  readonly textsOfImages: readonly (readonly number[])[]
  /** (texts) */
  readonly imageOfTexts: readonly number[]
}

/** In percent, with LAVIS's names: txt_ is image to text, img_ is text to image. */
export interface RetrievalScores {
  readonly txt_r1: number
  readonly txt_r5: number
  readonly txt_r10: number
  readonly txt_r_mean: number
  readonly img_r1: number
  readonly img_r5: number
  readonly img_r10: number
  readonly img_r_mean: number
  readonly r_mean: number
}

/**
 * Recall at 1, 5 and 10 both ways, equal to LAVIS's and mmpretrain's where no scores are equal. `imageToText` (images, texts);
 * `textToImage` (texts, images), the transpose of the former where it is left out. DataError for other shapes, and for NaN.
 */
export function evaluateRetrieval(
  imageToText: ScoreMatrix,
  textToImage: ScoreMatrix | undefined,
  { textsOfImages, imageOfTexts }: Pairs,
  ties: TieRule = 'low',
): RetrievalScores {
  check('imageToText', imageToText, textsOfImages.length, imageOfTexts.length)
  if (textToImage) check('textToImage', textToImage, imageOfTexts.length, textsOfImages.length)
  const txt = recall(imageToText, textsOfImages, ties)
  const img = recall(
    textToImage ?? transpose(imageToText),
    imageOfTexts.map((image) => [image]),
    ties,
  )
  return retrievalScores(txt, img)
}

function check(name: string, { rows, columns, data }: ScoreMatrix, queries: number, items: number): void {
  if (rows !== queries || columns !== items || data.length !== rows * columns || data.length === 0)
    throw new DataError(
      `${name}: expected (${queries}, ${items}), found (${rows}, ${columns}) of ${data.length} values`,
    )
}

/** From the recall of the texts of images, and of the images of texts. */
export function retrievalScores(txt: Recall, img: Recall): RetrievalScores {
  return {
    txt_r1: txt.r1,
    txt_r5: txt.r5,
    txt_r10: txt.r10,
    txt_r_mean: mean(txt),
    img_r1: img.r1,
    img_r5: img.r5,
    img_r10: img.r10,
    img_r_mean: mean(img),
    r_mean: (mean(txt) + mean(img)) / 2,
  }
}

function mean({ r1, r5, r10 }: Recall): number {
  return (r1 + r5 + r10) / 3
}

/** (columns, rows). */
export function transpose({ rows, columns, data }: ScoreMatrix): ScoreMatrix {
  const transposed = new (data instanceof Float32Array ? Float32Array : Float64Array)(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) transposed[column * rows + row] = data[row * columns + column]!
  }
  return { rows: columns, columns: rows, data: transposed }
}
