/** What image-text retrieval needs of a first-stage model. The algorithm knows nothing else of it. */
import type { ImageInput } from '../image.ts'

export interface EncodeOptions {
  /** Turn photos as their EXIF orientation says. Default true; the reference implementations do not. */
  readonly exif?: boolean | undefined
  /** Checked between the steps; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface EncodeTextOptions {
  /** Tokens of a text, special ones counted; longer ones are cut. Default 35, as released; at most as many as the model has positions. */
  readonly maxTextLength?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RetrievalImage {
  /** (queries, embedSize): the Q-Former's output, projected to the shared space, every query of length 1. */
  readonly projected: Float32Array
  /** (patches, hiddenSize): the image encoder's output, which matching attends to. */
  readonly imageEmbeds: Float32Array
}

export interface RetrievalText {
  /** (embedSize): the output at [CLS], projected to the shared space, of length 1. */
  readonly projected: Float32Array
  /** With the special tokens, without padding. */
  readonly tokens: readonly number[]
}

/** One number per text: logits of image-text matching, each the mean over the queries. */
export interface MatchLogits {
  readonly match: Float32Array
  readonly noMatch: Float32Array
}

/**
 * Everything may be called with any number of items, and gives the same for the same call. What one item gets may depend on the others
 * of its call by rounding only.
 */
export interface RetrievalEncoder {
  /** Queries of the Q-Former. */
  readonly queries: number
  /** Width of the shared space. */
  readonly embedSize: number
  /** Tokens of the image encoder's output. */
  readonly patches: number
  /** Width of the image encoder's output. */
  readonly hiddenSize: number
  encodeImages(images: readonly ImageInput[], options?: EncodeOptions): Promise<RetrievalImage[]>
  encodeTexts(texts: readonly string[], options?: EncodeTextOptions): Promise<RetrievalText[]>
  /** Matches one image with several texts, which come as the tokens of `encodeTexts`. */
  matchLogits(
    imageEmbeds: Float32Array,
    texts: readonly (readonly number[])[],
    options?: EncodeOptions,
  ): Promise<MatchLogits>
  /**
   * ITC similarity of every image with every text: the largest cosine over the queries, without temperature, in [-1, 1].
   * `projectedImages` (images, queries, embedSize) · `projectedTexts` (texts, embedSize) → (images, texts). Where it is left out,
   * `similarities` of similarity.ts computes it.
   */
  similarities?(
    projectedImages: Float32Array,
    images: number,
    projectedTexts: Float32Array,
    texts: number,
    options?: EncodeOptions,
  ): Promise<Float32Array>
}
