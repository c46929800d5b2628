/** Samples → batches with pixels, ahead of the one who computes with them: decoded and resized on other threads. */
import { DataError } from '../errors.ts'
import { decodeImage } from '../images/node.ts'
import { createPreprocessor, type Preprocessor } from '../images/node-preprocess.ts'
import { randomView, type View, type ViewOptions } from '../images/view.ts'
import { randomFor } from '../random.ts'
import { type Drawn, mixture, type Weighted } from './mixture.ts'
import type { Sample } from './sample.ts'

export interface LoaderOptions {
  readonly parts: readonly Weighted[]
  /** Decides the order, the captions that are drawn, and the views. */
  readonly seed: number
  /** Samples of the stream that earlier batches took (`Batch.next`). */
  readonly from: number
  readonly batchSize: number
  /** Pixels of a side. */
  readonly imageSize: number
  /** What is shown of each image; all of it when absent. */
  readonly view?: ViewOptions | undefined
  /** One view for good of each image, not one for each use, for features that are kept. */
  readonly fixedViews?: boolean
  /** Whether the image of a sample is to be decoded. Default: always. */
  readonly needsPixels?: (sample: Sample) => boolean
  /** Batches that are made ahead. Default 2. */
  readonly ahead?: number
  /** Told of a sample that is left out because its image cannot be read. */
  readonly onBad?: (sample: Sample, error: DataError) => void
}

/** A sample with what was drawn for it. */
export interface Item {
  readonly sample: Sample
  readonly text: string
  /** Its place in the stream. */
  readonly number: number
}

export interface Batch {
  readonly items: readonly Item[]
  /** (n, 3, imageSize, imageSize) of the items whose places `withPixels` lists. */
  readonly pixels: Float32Array
  readonly withPixels: readonly number[]
  /** Where the next batch begins in the stream. */
  readonly next: number
  /** Passes over the data that are complete in every part. */
  readonly pass: number
}

export interface Loader {
  next(): Promise<Batch>
  close(): Promise<void>
}

/** So many unreadable images are put up with, whatever their share; beyond, one in a hundred. */
const fewBad = 10

/** Rejects with a DataError when too many images cannot be read. */
export function openLoader(options: LoaderOptions): Loader {
  const preprocessor = createPreprocessor()
  const stream = mixture(options.parts, options.seed, options.from)
  const bad = badCounter(options)
  const queue: Promise<Batch>[] = []
  let last: Promise<unknown> = Promise.resolve()

  /** Begins one more batch behind those that are being made. */
  function order(): void {
    const made = last.then(() => makeBatch(stream, preprocessor, options, bad))
    made.catch(() => {}) // whoever asks for it gets the error
    last = made
    queue.push(made)
  }

  return {
    next() {
      while (queue.length <= (options.ahead ?? 2)) order()
      return queue.shift() as Promise<Batch>
    },
    async close() {
      await last.catch(() => {})
      await stream.return(undefined)
      await preprocessor.dispose()
    },
  }
}

async function makeBatch(
  stream: AsyncGenerator<Drawn>,
  preprocessor: Preprocessor,
  options: LoaderOptions,
  countBad: (drawn: Drawn, error: DataError) => void,
): Promise<Batch> {
  const { batchSize, imageSize } = options
  const items: Item[] = []
  const pixels: Float32Array[] = []
  const withPixels: number[] = []
  let [next, pass] = [0, Number.POSITIVE_INFINITY]
  while (items.length < batchSize) {
    const drawn: Drawn[] = []
    while (drawn.length < batchSize - items.length) drawn.push((await stream.next()).value as Drawn)
    const read = await Promise.all(drawn.map((one) => readItem(one, preprocessor, options)))
    for (const [i, one] of drawn.entries()) {
      const { sample, number } = one
      const result = read[i] as Read
      next = number + 1
      pass = Math.min(pass, one.pass)
      if (result instanceof DataError) {
        countBad(one, result)
        continue
      }
      if (result) withPixels.push(items.length)
      if (result) pixels.push(result)
      items.push({ sample, number, text: drawText(sample, options.seed, number) })
    }
  }
  const joined = new Float32Array(pixels.length * 3 * imageSize * imageSize)
  pixels.forEach((one, i) => {
    joined.set(one, i * one.length)
  })
  return { items, pixels: joined, withPixels, next, pass }
}

/** Pixels, nothing where none are needed, or why there are none. */
type Read = Float32Array | undefined | DataError

async function readItem({ sample, number }: Drawn, preprocessor: Preprocessor, options: LoaderOptions): Promise<Read> {
  const { image } = sample
  if (image === undefined || options.needsPixels?.(sample) === false) return undefined
  try {
    const decoded = await decodeImage(image)
    const use = options.fixedViews ? sample.key : number
    const view = options.view && drawView(`${options.seed}:view:${use}`, decoded.width, decoded.height, options.view)
    return await preprocessor.pixelValues([decoded], options.imageSize, view ? { views: [view] } : {})
  } catch (error) {
    if (error instanceof DataError) return error
    throw error
  }
}

function drawView(seed: string, width: number, height: number, options: ViewOptions): View {
  return randomView(randomFor(seed), width, height, options)
}

function drawText({ texts }: Sample, seed: number, number: number): string {
  const [only] = texts as [string]
  return texts.length === 1 ? only : (texts[Math.floor(randomFor(`${seed}:text:${number}`)() * texts.length)] as string)
}

function badCounter({ onBad }: LoaderOptions) {
  let count = 0
  let first: DataError | undefined
  return ({ sample, number }: Drawn, error: DataError): void => {
    count++
    first ??= error
    onBad?.(sample, error)
    if (count > fewBad + number / 100) {
      throw new DataError(`${count} images cannot be read, the first: ${first.message}`, { cause: first })
    }
  }
}
