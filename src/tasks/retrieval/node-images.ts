/** Images → features in a file, and back. One image of ViT-g is 0.75 MB in float16: no set of them has to fit into memory. */
import { narrowFloat16 } from '../../checkpoints/narrow.ts'
import { formatBytes, freeBytes } from '../../checkpoints/node-errors.ts'
import { keepWholeBatches, type Records } from '../../checkpoints/node-records.ts'
import { widenFloat16 } from '../../checkpoints/widen.ts'
import { DataError, SessionError } from '../../errors.ts'
import { decodeImage, type ImageSource } from '../../images/node.ts'
import type { RgbImage } from '../../images/rgb-image.ts'
import { type ImageInput, imageName, isPixels } from '../image.ts'
import type { EncodeOptions, RetrievalEncoder, RetrievalImage } from './encoder.ts'
import type { FeatureType } from './feature-type.ts'

export interface ImageOptions extends EncodeOptions {
  /** Images that are encoded together. */
  readonly imageBatch: number
  readonly features: FeatureType
  /** Leave out images that cannot be read, instead of stopping at the first. */
  readonly skipUnreadable: boolean
  /** Told how many images are done. */
  readonly onDone: (images: number) => void
}

export interface StoredImages {
  /** Indices of the images that have features, ascending. */
  readonly readable: readonly number[]
  /** Index of an image that could not be read → why. */
  readonly unreadable: ReadonlyMap<number, string>
  /** Fills `target` (queries, embedSize). */
  readProjected(image: number, target: Float32Array): Promise<void>
  /** (patches, hiddenSize) */
  readImageEmbeds(image: number): Promise<Float32Array>
}

// A record begins with one of these; the message or the features follow.
const unreadableTag = 0
const featuresTag = 1
const tagBytes = 4

/** Encodes the images that are not in `records` yet. Throws DataError for one that cannot be read, or whose features do not fit the type. */
export async function encodeImages(
  encoder: RetrievalEncoder,
  images: readonly ImageInput[],
  records: Records,
  options: ImageOptions,
): Promise<StoredImages> {
  const { imageBatch, features, onDone, signal } = options
  await keepWholeBatches(records, images.length, imageBatch)
  await checkSpace(encoder, images.length - records.count, features, records.path)
  onDone(records.count)
  while (records.count < images.length) {
    signal?.throwIfAborted()
    const batch = images.slice(records.count, records.count + imageBatch)
    const decoded = await Promise.all(batch.map((image) => decode(image, options)))
    const readable = decoded.filter((image): image is RgbImage => !(image instanceof DataError))
    const encoded = readable.length === 0 ? [] : await encoder.encodeImages(readable, { signal })
    for (const [i, image] of decoded.entries()) {
      if (image instanceof DataError) await records.append(Uint32Array.of(unreadableTag), Buffer.from(image.message))
      else await appendFeatures(records, encoded[readable.indexOf(image)]!, imageName(batch[i]!), encoder, features)
    }
    onDone(records.count)
  }
  return openImages(encoder, records, options)
}

/** An image that cannot be read is an error that is returned, or thrown where none may be left out. */
async function decode(
  image: ImageInput,
  { exif = true, signal, skipUnreadable }: ImageOptions,
): Promise<RgbImage | DataError> {
  if (isPixels(image)) return image
  try {
    return await decodeImage(image as ImageSource, { exif, ...(signal && { signal }) })
  } catch (error) {
    if (error instanceof DataError && skipUnreadable) return error
    throw error instanceof DataError ? unreadableError(error.message) : error
  }
}

/** Says which way there is around an image that cannot be read. */
export function unreadableError(message: string): DataError {
  return new DataError(`${message}; --skip-unreadable (option skipUnreadable) leaves such images out`)
}

async function appendFeatures(
  records: Records,
  { projected, imageEmbeds }: RetrievalImage,
  name: string,
  { queries, embedSize, patches, hiddenSize }: RetrievalEncoder,
  features: FeatureType,
): Promise<void> {
  if (projected.length !== queries * embedSize || imageEmbeds.length !== patches * hiddenSize) {
    throw new RangeError(`${name}: features of ${projected.length} and ${imageEmbeds.length} numbers`)
  }
  if (!projected.every(Number.isFinite)) {
    throw new SessionError(
      `${name}: the model gives features that are no numbers (NaN or infinite); is the checkpoint damaged?`,
    )
  }
  const stored = features === 'float32' ? imageEmbeds : new Uint16Array(imageEmbeds.length)
  if (stored instanceof Uint16Array) {
    const unfit = narrowFloat16(imageEmbeds, stored)
    if (unfit !== -1) {
      throw new DataError(
        `${name}: the image encoder gives ${imageEmbeds[unfit]}, which float16 does not hold; keep the features with --features float32`,
      )
    }
  }
  await records.append(Uint32Array.of(featuresTag), projected, stored)
}

async function openImages(
  { queries, embedSize, patches, hiddenSize }: RetrievalEncoder,
  records: Records,
  { features, skipUnreadable }: ImageOptions,
): Promise<StoredImages> {
  const unreadableImages = new Map<number, string>()
  const readable: number[] = []
  const tag = new Uint32Array(1)
  for (let image = 0; image < records.count; image++) {
    await records.read(image, tag)
    if (tag[0] === featuresTag) readable.push(image)
    else {
      const message = Buffer.alloc(records.size(image) - tagBytes)
      await records.read(image, message, tagBytes)
      if (!skipUnreadable) throw unreadableError(message.toString())
      unreadableImages.set(image, message.toString())
    }
  }
  const embedsAt = tagBytes + 4 * queries * embedSize
  return {
    readable,
    unreadable: unreadableImages,
    readProjected: (image, target) => records.read(image, target, tagBytes),
    async readImageEmbeds(image) {
      const stored = new (features === 'float32' ? Float32Array : Uint16Array)(patches * hiddenSize)
      await records.read(image, stored, embedsAt)
      return stored instanceof Float32Array ? stored : widenFloat16(stored)
    },
  }
}

/** Rather at once than after hours. */
async function checkSpace(
  { queries, embedSize, patches, hiddenSize }: RetrievalEncoder,
  images: number,
  features: FeatureType,
  path: string,
): Promise<void> {
  const needed = images * (4 * queries * embedSize + (features === 'float32' ? 4 : 2) * patches * hiddenSize)
  const free = (await freeBytes(path)) ?? Number.POSITIVE_INFINITY
  if (free >= needed) return
  throw new DataError(
    `${path}: the features of ${images} images need ${formatBytes(needed)}, ${formatBytes(free)} are free; ` +
      'free some space, or name a folder on another disk with --work',
  )
}
