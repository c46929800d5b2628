import type { RgbImage } from '../images/rgb-image.ts'
import type { Tensor } from '../runtime/device.ts'

/** An image as a model has read it. Encode once, ask as often as wanted; every call of that model takes it in place of the image. */
export abstract class EncodedImage {
  /** (queries, hidden_size): the Q-Former's output. */
  abstract readonly queryOutput: Tensor
}

/** What a language model reads of an image. */
export class GenerationImage extends EncodedImage {
  readonly queryOutput: Tensor
  /** (queries, 1, size): the Q-Former's output, projected to the language model's token embeddings. */
  readonly queryEmbeds: Tensor
  /** (patches, 1, encoder's hidden_size): the image encoder's output, where the Q-Former goes back to it with each question. */
  readonly imageEmbeds: Tensor | undefined

  constructor(queryOutput: Tensor, queryEmbeds: Tensor, imageEmbeds?: Tensor) {
    super()
    this.queryOutput = queryOutput
    this.queryEmbeds = queryEmbeds
    this.imageEmbeds = imageEmbeds
  }
}

/** What a first-stage model compares a text with. */
export class MatchingImage extends EncodedImage {
  readonly queryOutput: Tensor
  /** (queries, image_text_hidden_size): projected to the space of comparison, every query of length 1. */
  readonly projected: Tensor
  /** (patches, 1, encoder's hidden_size): the image encoder's output, which matching attends to. */
  readonly imageEmbeds: Tensor

  constructor(queryOutput: Tensor, projected: Tensor, imageEmbeds: Tensor) {
    super()
    this.queryOutput = queryOutput
    this.projected = projected
    this.imageEmbeds = imageEmbeds
  }
}

/** What a model can be asked about: a path or URL, the bytes of a file, pixels, or what its `encode` returned. */
export type ImageInput = string | URL | Uint8Array | Blob | RgbImage | EncodedImage

export function isPixels(input: ImageInput): input is RgbImage {
  return typeof input === 'object' && 'data' in input && 'width' in input && 'height' in input
}

/** How results and errors call an image. */
export function imageName(input: ImageInput): string {
  if (typeof input === 'string') return input
  if (input instanceof URL) return input.href
  return input instanceof EncodedImage ? '(encoded image)' : '(image in memory)'
}
