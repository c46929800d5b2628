/** From what a caller calls an image to what a model's tasks work on. */
import { ConfigError } from '../errors.ts'
import { decodeImage, type ImageSource } from '../images/node.ts'
import type { Preprocessor } from '../images/node-preprocess.ts'
import type { RgbImage } from '../images/rgb-image.ts'
import { EncodedImage, type ImageInput, isPixels } from './image.ts'
import type { Timing } from './timing.ts'

export interface ImageReader<Encoded extends EncodedImage> {
  readonly preprocessor: Preprocessor
  /** Pixels of a side of the square that images are resized to. */
  readonly size: number
  /** What this model's images are when they are encoded. */
  readonly kind: abstract new (
    ...parts: never
  ) => Encoded
  /** Normalised pixels (batch, 3, size, size) → one encoded image per batch item. */
  encode(pixels: Float32Array, batch: number, signal?: AbortSignal): Promise<Encoded[]>
  /** Told of every picture before it is resized. */
  readonly onPicture?: ((picture: RgbImage) => void) | undefined
}

export interface ReadImageOptions {
  /** Turn photos as their EXIF orientation says. Default true; the reference implementations do not. */
  readonly exif?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export function otherModel(): ConfigError {
  return new ConfigError('the image was encoded by another kind of model; encode it with this one')
}

/** Decodes, resizes and encodes the images that are not encoded yet, as one batch. */
export async function encodeImages<Encoded extends EncodedImage>(
  { preprocessor, size, kind, encode, onPicture }: ImageReader<Encoded>,
  images: readonly ImageInput[],
  { exif = true, signal }: ReadImageOptions,
  clock: Timing,
): Promise<Encoded[]> {
  if (images.some((image) => image instanceof EncodedImage && !(image instanceof kind))) {
    throw otherModel()
  }
  const fresh = images.filter((image) => !(image instanceof EncodedImage))
  if (fresh.length === 0) return images as unknown as Encoded[]
  const decoded = await clock.measure('decode', () =>
    Promise.all(
      fresh.map(async (image) =>
        isPixels(image) ? image : decodeImage(image as ImageSource, { exif, ...(signal && { signal }) }),
      ),
    ),
  )
  if (onPicture) for (const picture of decoded) onPicture(picture)
  const pixels = await clock.measure('resize', () => preprocessor.pixelValues(decoded, size, signal && { signal }))
  const encoded = await clock.measure('encode', () => encode(pixels, fresh.length, signal))
  return images.map((image) => (image instanceof EncodedImage ? image : encoded.shift()) as Encoded)
}
