import { type Pairs, type RetrievalScores, retrievalScores } from './evaluate.ts'
import { bestRank, recallOfRanks, type TieRule } from './recall.ts'

/** The scored items of every query: (queries, k), in any order. What is not among them has one score that is below all others. */
export interface ScoredItems {
  readonly k: number
  readonly indices: ArrayLike<number>
  readonly score: ArrayLike<number>
}

export interface Rankings {
  /** Which images were ranked, and are the rows of `textsOfImages`. */
  readonly images: readonly number[]
  readonly textsOfImages: ScoredItems
  /** A row for each text. */
  readonly imagesOfTexts: ScoredItems
}

/** The score of items that were not scored, as in LAVIS. */
const others = -100

/**
 * What `evaluateRetrieval` gives for the two matrices that have -100 wherever an item was not scored, one row at a time. Images that
 * were not ranked count as absent: neither they nor their texts are asked for.
 */
export function evaluateRankings(
  { images, textsOfImages, imagesOfTexts }: Rankings,
  pairs: Pairs,
  ties: TieRule = 'low',
): RetrievalScores {
  const placeOfImage = new Map(images.map((image, place) => [image, place]))
  const texts = new Float32Array(pairs.imageOfTexts.length)
  const txt = images.map((image, row) => {
    fill(texts, textsOfImages, row, (text) => text)
    return rank(texts, pairs.textsOfImages[image]!, ties)
  })
  const scores = new Float32Array(images.length)
  const img = pairs.imageOfTexts.flatMap((image, row) => {
    const place = placeOfImage.get(image)
    if (place === undefined) return []
    fill(scores, imagesOfTexts, row, (other) => placeOfImage.get(other)!)
    return rank(scores, [place], ties)
  })
  return retrievalScores(recallOfRanks(txt), recallOfRanks(img))
}

function fill(
  scores: Float32Array,
  { k, indices, score }: ScoredItems,
  row: number,
  place: (item: number) => number,
): void {
  scores.fill(others)
  for (let at = row * k; at < (row + 1) * k; at++) scores[place(indices[at]!)] = score[at]!
}

function rank(scores: Float32Array, targets: readonly number[], ties: TieRule): number {
  return bestRank({ rows: 1, columns: scores.length, data: scores }, 0, targets, ties)
}
