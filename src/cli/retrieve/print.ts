/** What was found, as objects and as text. */
import type { RetrievalResult } from '../../tasks/retrieval/node-retrieve.ts'
import type { Ranking } from '../../tasks/retrieval/ranking.ts'
import { table } from '../format.ts'
import type { Inputs } from './inputs.ts'

export interface Scores {
  /** Cosine. */
  readonly itc: number
  /** Probability. */
  readonly itm: number
  readonly score: number
}

export interface ImageRow {
  readonly image: string
  readonly texts: readonly ({ readonly text: string } & Scores)[]
}

export interface TextRow {
  readonly text: string
  readonly images: readonly ({ readonly image: string } & Scores)[]
}

/** The best `top` texts of every image. */
export function* imageRows(result: RetrievalResult, { images, texts }: Inputs, top: number): Generator<ImageRow> {
  for (const [row, image] of result.images.entries()) {
    const found = best(result.textsOfImages, row, top).map(({ index, ...scores }) => ({
      text: texts[index]!,
      ...scores,
    }))
    yield { image: images[image]!, texts: found }
  }
}

/** The best `top` images of every text. */
export function* textRows(result: RetrievalResult, { images, texts }: Inputs, top: number): Generator<TextRow> {
  for (const [row, text] of texts.entries()) {
    const found = best(result.imagesOfTexts, row, top).map(({ index, ...scores }) => ({
      image: images[index]!,
      ...scores,
    }))
    yield { text, images: found }
  }
}

export function imageText({ image, texts }: ImageRow): string {
  return block(
    image,
    'text',
    texts.map(({ text, ...scores }) => [scores, text]),
  )
}

export function textText({ text, images }: TextRow): string {
  return block(
    text,
    'image',
    images.map(({ image, ...scores }) => [scores, image]),
  )
}

function best(
  { k, indices, itc, itm, score }: Ranking,
  row: number,
  top: number,
): ({ readonly index: number } & Scores)[] {
  return Array.from({ length: Math.min(k, top) }, (_, i) => {
    const at = row * k + i
    return { index: indices[at]!, itc: itc[at]!, itm: itm[at]!, score: score[at]! }
  })
}

function block(query: string, what: string, found: readonly (readonly [Scores, string])[]): string {
  const rows = found.map(([{ itc, itm, score }, name]) => ['', score.toFixed(3), itc.toFixed(3), itm.toFixed(3), name])
  return `${query}\n${table([['', 'score', 'itc', 'itm', what], ...rows], [1, 2, 3])}\n`
}
