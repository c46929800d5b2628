/** Retrieval over a set of captioned images: every caption is a text to be found, and to be searched with. */
import type { Id } from '../metrics/json.ts'
import { evaluateRankings } from '../metrics/retrieval/ranked.ts'
import type { Ranking } from '../tasks/retrieval/ranking.ts'
import type { Predictions, Sample, Scores } from './sample.ts'
import { processCaption, type TextRule } from './text.ts'

/** The captions of all images one after the other, as LAVIS's `RetrievalEvalDataset` numbers them. */
export interface Texts {
  /** As the model reads them. */
  readonly texts: readonly string[]
  /** As they are in the file. */
  readonly captions: readonly string[]
  /** Of each text, the place of its image among the samples. */
  readonly imageOfTexts: readonly number[]
  readonly textsOfImages: readonly (readonly number[])[]
}

export function textsOf(samples: readonly Sample[], rule: TextRule): Texts {
  const captions: string[] = []
  const imageOfTexts: number[] = []
  const textsOfImages = samples.map(({ references }, image) =>
    references.map((caption) => {
      imageOfTexts.push(image)
      return captions.push(caption) - 1
    }),
  )
  return { texts: captions.map((caption) => processCaption(rule, caption)), captions, imageOfTexts, textsOfImages }
}

/** Both rankings; row r of `textsOfImages` is of sample `images[r]`, row t of `imagesOfTexts` of text t. */
export interface Rankings {
  readonly images: readonly number[]
  readonly textsOfImages: Ranking
  readonly imagesOfTexts: Ranking
}

export interface RankedSamples {
  readonly scores: Scores
  /** The text that is ranked first for each image, as it is in the file. */
  readonly predictions: Predictions
  /** For results.json: the place of the first right item, from 1, null where it is no candidate, and the first ten items. */
  readonly results: {
    readonly image_to_text: readonly object[]
    readonly text_to_image: readonly object[]
  }
}

/** Texts whose image was not ranked do not count as queries. */
export function rankSamples(samples: readonly Sample[], texts: Texts, rankings: Rankings): RankedSamples {
  const { captions, imageOfTexts } = texts
  const { images, textsOfImages, imagesOfTexts } = rankings
  const ranked = new Set(images)
  const queries = [...imageOfTexts.keys()].filter((text) => ranked.has(imageOfTexts[text]!))
  const textRanks = images.map((image, row) =>
    rankOf(rowOf(textsOfImages, row), (text) => imageOfTexts[text] === image),
  )
  const imageRanks = queries.map((text) => rankOf(rowOf(imagesOfTexts, text), (image) => image === imageOfTexts[text]))
  const idOf = (image: number): Id => samples[image]!.id
  return {
    scores: {
      measured: { ...evaluateRankings(rankings, texts) },
      bySample: new Map(images.map((image, row) => [idOf(image), -textRanks[row]!])),
      shown: (score) => (score === Number.NEGATIVE_INFINITY ? 'not found' : `rank ${1 - score}`),
    },
    predictions: new Map(images.map((image, row) => [idOf(image), captions[rowOf(textsOfImages, row)[0]!]!])),
    results: {
      image_to_text: images.map((image, row) => ({
        image_id: idOf(image),
        rank: shownRank(textRanks[row]!),
        texts: [...rowOf(textsOfImages, row).subarray(0, 10)],
      })),
      text_to_image: queries.map((text, i) => ({
        text,
        rank: shownRank(imageRanks[i]!),
        image_ids: Array.from(rowOf(imagesOfTexts, text).subarray(0, 10), idOf),
      })),
    },
  }
}

function rowOf({ k, indices }: Ranking, row: number): Int32Array {
  return indices.subarray(row * k, (row + 1) * k)
}

/** The place of the first right item, from 0; a right one that is no candidate is behind everything. */
function rankOf(row: Int32Array, isRight: (item: number) => boolean): number {
  const place = row.findIndex(isRight)
  return place === -1 ? Number.POSITIVE_INFINITY : place
}

function shownRank(rank: number): number | null {
  return rank === Number.POSITIVE_INFINITY ? null : rank + 1
}
