/** Images that the user named, up to what the language model reads of them. */
import { DataError } from '../errors.ts'
import type { RgbImage } from '../images/rgb-image.ts'
import type { Blip2 } from '../tasks/blip2.ts'
import type { EncodedImage } from '../tasks/image.ts'
import { addTimes, type TimingMs, timing } from '../tasks/timing.ts'

export interface Photo {
  readonly image: string
  readonly pixels: RgbImage
  readonly timing_ms: TimingMs
}

export interface EncodedPhoto {
  readonly image: string
  readonly encoded: EncodedImage
  /** Reading and encoding. */
  readonly timing_ms: TimingMs
}

export interface UnreadablePhoto {
  readonly image: string
  readonly error: DataError
}

export interface ReadOptions {
  readonly exif: boolean
  readonly signal: AbortSignal
}

/** Reads and decodes one image. Only the signal's reason is thrown. */
export async function readPhoto(image: string, options: ReadOptions): Promise<Photo | UnreadablePhoto> {
  const { decodeImage } = await import('../images/node.ts') // late, as in model.ts
  const clock = timing()
  try {
    const pixels = await clock.measure('decode', () => decodeImage(image, options))
    return { image, pixels, timing_ms: clock.total() }
  } catch (error) {
    if (error instanceof DataError) return { image, error }
    throw error
  }
}

/** For all questions about one image. */
export async function encodePhoto(
  model: Blip2,
  image: string,
  options: ReadOptions,
): Promise<EncodedPhoto | UnreadablePhoto> {
  const photo = await readPhoto(image, options)
  if ('error' in photo) return photo
  const clock = timing()
  const encoded = await clock.measure('encode', () => model.encode(photo.pixels, options))
  return { image, encoded, timing_ms: addTimes(photo.timing_ms, clock.total()) }
}
