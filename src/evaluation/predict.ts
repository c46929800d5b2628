/** The language model's texts about the samples of a benchmark, batch by batch. */
import { DataError } from '../errors.ts'
import type { GenerationOptions } from '../generation/options.ts'
import { decodeImage } from '../images/node.ts'
import type { RgbImage } from '../images/rgb-image.ts'
import type { Id } from '../metrics/json.ts'
import type { Blip2 } from '../tasks/blip2.ts'
import type { EncodedImage } from '../tasks/image.ts'

/** A sample as the model is asked. */
export interface Prompted {
  readonly id: Id
  /** Path of the image. */
  readonly image: string
  readonly prompt: string
  /** For a Q-Former that reads it. */
  readonly question?: string | undefined
}

export interface PredictOptions {
  /** Samples that are computed together. */
  readonly batch: number
  readonly search: GenerationOptions
  /** Turn photos as their EXIF orientation says. */
  readonly exif: boolean
  /** Go on without the samples whose image cannot be read. */
  readonly skipUnreadable: boolean
  readonly signal?: AbortSignal
}

export interface PredictedBatch {
  readonly texts: readonly { readonly id: Id; readonly text: string }[]
  readonly unreadable: readonly Unreadable[]
}

export interface Unreadable {
  readonly id: Id
  readonly image: string
  readonly reason: string
}

/** By path. */
type Decoded = ReadonlyMap<string, RgbImage | DataError>
type Encoded = ReadonlyMap<string, EncodedImage | DataError>

/**
 * Encodes each image once for all neighbouring items about it, and decodes the images of the next batch while the model computes.
 * Throws the DataError of the first image that cannot be read, unless they are skipped.
 */
export async function* predict(
  model: Blip2,
  items: readonly Prompted[],
  options: PredictOptions,
): AsyncGenerator<PredictedBatch, void> {
  const { search, signal } = options
  const batches = inGroups(items, options.batch)
  let coming = decodeAll(batches[0] ?? [], new Map(), options)
  let encoded: Encoded = new Map()
  for (const [i, batch] of batches.entries()) {
    const decoded = await coming
    coming = decodeAll(batches[i + 1] ?? [], decoded, options)
    coming.catch(() => {}) // told when it is awaited, which another error may prevent
    encoded = await encodeAll(model, batch, decoded, encoded, options)
    const asked = batch.flatMap(({ id, image, prompt, question }) => {
      const known = encoded.get(image)
      return known instanceof DataError || known === undefined ? [] : [{ id, image: known, prompt, question }]
    })
    const texts = await model.generateBatch(asked, { ...search, signal })
    yield {
      texts: asked.map(({ id }, k) => ({ id, text: texts[k]![0]!.text })),
      unreadable: batch.flatMap(({ id, image }) => {
        const error = encoded.get(image)
        return error instanceof DataError ? [{ id, image, reason: error.message }] : []
      }),
    }
  }
}

/** The images of a batch; those that the batch before it has too are taken from there. */
async function decodeAll(batch: readonly Prompted[], before: Decoded, options: PredictOptions): Promise<Decoded> {
  const { exif, signal } = options
  const decode = async (path: string): Promise<[string, RgbImage | DataError]> => {
    const known = before.get(path)
    if (known !== undefined) return [path, known]
    try {
      return [path, await decodeImage(path, { exif, ...(signal && { signal }) })]
    } catch (error) {
      if (error instanceof DataError) return [path, error]
      throw error
    }
  }
  return new Map(await Promise.all(pathsOf(batch).map(decode)))
}

async function encodeAll(
  model: Blip2,
  batch: readonly Prompted[],
  decoded: Decoded,
  before: Encoded,
  { skipUnreadable, signal }: PredictOptions,
): Promise<Encoded> {
  const encode = async (path: string): Promise<[string, EncodedImage | DataError]> => {
    const known = before.get(path)
    if (known !== undefined) return [path, known]
    const image = decoded.get(path)!
    if (!(image instanceof DataError)) return [path, await model.encode(image, { signal })]
    if (skipUnreadable) return [path, image]
    throw new DataError(`${image.message}; --skip-unreadable goes on without it`, { cause: image })
  }
  return new Map(await Promise.all(pathsOf(batch).map(encode)))
}

function pathsOf(batch: readonly Prompted[]): string[] {
  return [...new Set(batch.map(({ image }) => image))]
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}
