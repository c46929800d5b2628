import type { RgbImage } from '../images/rgb-image.ts'
import type { Tensor } from '../runtime/device.ts'

/** An image as the language model reads it. Encode once, ask as often as wanted; any task takes it in place of the image. */
export class EncodedImage {
  /** (queries, 1, size): the Q-Former's output, projected to the language model's token embeddings. */
  readonly queryEmbeds: Tensor

  constructor(queryEmbeds: Tensor) {
    this.queryEmbeds = queryEmbeds
  }
}

/** What can be captioned or asked about: a path or URL, the bytes of a file, pixels, or what `encode` returned. */
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
