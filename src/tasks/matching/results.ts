/** What comparing images with texts takes and gives. docs/scores.md says what the numbers mean. */
import type { Tensor } from '../../runtime/device.ts'
import type { ImageInput } from '../image.ts'
import type { ReadImageOptions } from '../read-images.ts'

export interface MatchOptions extends ReadImageOptions {
  /**
   * Tokens of the longest text, [CLS] and [SEP] included; the rest of a longer one is not read. Default: 32 to match, as in training;
   * features read all that the model has positions for (512). Both as LAVIS.
   */
  readonly maxTextLength?: number | undefined
  /** Read texts in lower case and without .!"()*#:;~, as LAVIS in training and after it. Default true; Hugging Face does not. */
  readonly clean?: boolean | undefined
  /** Texts that are computed together. Default 32. */
  readonly batch?: number | undefined
}

export interface Match {
  readonly text: string
  /** Contrastive similarity: the cosine between the text and the query that fits it best, from -1 to 1. No temperature. */
  readonly itc: number
  /** Probability of a match, from 0 to 1: softmax of the logits below. */
  readonly itm: number
  /** Of no match and of match: the mean over the queries. */
  readonly itm_logits: readonly [number, number]
}

export type FeatureInput =
  | { readonly mode: 'image'; readonly image: ImageInput }
  | { readonly mode: 'text'; readonly text: string }
  | { readonly mode: 'multimodal'; readonly image: ImageInput; readonly text: string }

/** Several inputs of one mode. Multimodal: pairs, so as many texts as images. */
export type FeatureInputs =
  | { readonly mode: 'image'; readonly images: readonly ImageInput[] }
  | { readonly mode: 'text'; readonly texts: readonly string[] }
  | { readonly mode: 'multimodal'; readonly images: readonly ImageInput[]; readonly texts: readonly string[] }

/** Row-major. */
export interface FeatureTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

export interface Features {
  /**
   * The Q-Former's output. image and multimodal: (queries, hidden_size), the latter having read the text; text: (tokens, hidden_size),
   * with [CLS] first and [SEP] last.
   */
  readonly embeds: FeatureTensor
  /**
   * The same in the space of comparison, every row of length 1: (queries or tokens, image_text_hidden_size). ITC compares all queries of
   * an image with the first row, [CLS], of a text. Not for multimodal features, nor of a generation model.
   */
  readonly projected?: FeatureTensor
}

export function featureTensor({ shape, data }: Tensor): FeatureTensor {
  return { shape, data: data as Float32Array }
}

/** One input as several. */
export function asInputs(input: FeatureInput): FeatureInputs {
  switch (input.mode) {
    case 'image':
      return { mode: 'image', images: [input.image] }
    case 'text':
      return { mode: 'text', texts: [input.text] }
    case 'multimodal':
      return { mode: 'multimodal', images: [input.image], texts: [input.text] }
  }
}
