/** Samples → batches with pixels, ahead of the one who computes with them: decoded and resized on other threads. */
import { availableParallelism } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { DataError, SessionError } from '../errors.ts'
import { decodeImage } from '../images/node.ts'
import { createPreprocessor, type Preprocessor } from '../images/node-preprocess.ts'
import { randomView, type ViewOptions } from '../images/view.ts'
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
  /** Threads that resize; one does some 150 photos of 640x480 a second. Default: one for every four cores. */
  readonly threads?: number
  /** Told of a sample that is left out because its image cannot be read. */
  readonly onBad?: (sample: Sample, error: DataError) => void
}

/** A sample with what was drawn for it. */
export interface Item extends Drawn {
  readonly text: string
}

export interface Batch {
  readonly items: readonly Item[]
  /** (n, 3, imageSize, imageSize) of the items whose places `withPixels` lists. */
  readonly pixels: Float32Array
  readonly withPixels: readonly number[]
  /** Where the next batch begins in the stream. */
  readonly next: number
}

export interface Loader {
  /** Rejects with a DataError when too many images cannot be read, or with what the source throws. */
  next(): Promise<Batch>
  /** Gives up what is being made: nothing is open afterwards, and `next` rejects. Twice is fine. */
  close(): Promise<void>
}

/** Pictures that are decoded at a time: enough for the threads of sharp, and not a whole batch of large photos in memory. */
const mostDecoded = 8

/** So many unreadable images are put up with, whatever their share; beyond, one in a hundred. */
const fewBad = 10

export function openLoader(options: LoaderOptions): Loader {
  const closing = new AbortController()
  const { signal } = closing
  const stream = mixture(options.parts, { seed: options.seed, from: options.from, signal })
  const preprocessors = Array.from(
    { length: options.threads ?? Math.ceil(availableParallelism() / 4) },
    createPreprocessor,
  )
  const countBad = badCounter(options)
  const read = (drawn: Drawn) => readItem(drawn, options, preprocessors[drawn.number % preprocessors.length]!, signal)
  const queue: Promise<Batch>[] = []
  let last: Promise<unknown> = Promise.resolve()

  /** Begins one more batch behind those that are being made. */
  function order(): void {
    const made = last.then(() => makeBatch(stream, read, options, countBad, signal))
    made.catch(() => {}) // whoever asks for it gets the error
    last = made
    queue.push(made)
  }

  return {
    next() {
      while (queue.length <= (options.ahead ?? 2)) order()
      return queue.shift()!
    },
    async close() {
      closing.abort(new SessionError('the loader was closed; open another one'))
      await last.catch(() => {})
      await stream.return(undefined as never)
      await Promise.all(preprocessors.map((preprocessor) => preprocessor.dispose()))
    },
  }
}

async function makeBatch(
  stream: AsyncGenerator<Drawn, never>,
  read: (drawn: Drawn) => Promise<Read>,
  { batchSize, imageSize, seed }: LoaderOptions,
  countBad: (drawn: Drawn, error: DataError) => void,
  signal: AbortSignal,
): Promise<Batch> {
  const items: Item[] = []
  const pictures: Float32Array[] = []
  const withPixels: number[] = []
  let next = 0
  while (items.length < batchSize) {
    signal.throwIfAborted()
    const drawn: Drawn[] = []
    while (drawn.length < batchSize - items.length) drawn.push((await stream.next()).value)
    const results = await forEachOf(drawn, mostDecoded, read)
    for (const [i, one] of drawn.entries()) {
      const result = results[i]
      next = one.number + 1
      if (result instanceof DataError) {
        countBad(one, result)
        continue
      }
      if (result) withPixels.push(items.length)
      if (result) pictures.push(result)
      items.push({ ...one, text: drawText(one, seed) })
    }
  }
  return { items, pixels: await joined(pictures, 3 * imageSize ** 2), withPixels, next }
}

/** The results of `work` in the order of the items, of which at most so many are at work. All of them have ended when this ends. */
async function forEachOf<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const takeTurns = async () => {
    while (next < items.length) {
      const at = next++
      results[at] = await work(items[at] as T)
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: most }, takeTurns))
  const failed = ended.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  if (failed) throw failed.reason
  return results
}

/** One behind the other, without keeping the event loop for long: a large batch is a gigabyte. */
async function joined(pictures: readonly Float32Array[], size: number): Promise<Float32Array> {
  const all = new Float32Array(pictures.length * size)
  for (const [i, picture] of pictures.entries()) {
    all.set(picture, i * size)
    await turn()
  }
  return all
}

/** Pixels, nothing where none are needed, or why there are none. */
type Read = Float32Array | undefined | DataError

async function readItem(
  { sample, number }: Drawn,
  { seed, imageSize, view, fixedViews, needsPixels }: LoaderOptions,
  preprocessor: Preprocessor,
  signal: AbortSignal,
): Promise<Read> {
  const { key, image, imageKey = key } = sample
  if (sample.error) return sample.error
  if (image === undefined || needsPixels?.(sample) === false) return undefined
  try {
    const decoded = await decodeImage(image, { signal })
    const random = randomFor(`${seed}:view:${fixedViews ? imageKey : number}`)
    const views = view && [randomView(random, decoded.width, decoded.height, view)]
    return await preprocessor.pixelValues([decoded], imageSize, { signal, ...(views && { views }) })
  } catch (error) {
    if (error instanceof DataError) return named(error, sample)
    throw error
  }
}

/** Pictures in memory have no name of their own. */
function named(error: DataError, { key, image }: Sample): DataError {
  return image instanceof Uint8Array ? new DataError(`${key}: ${error.message}`, { cause: error }) : error
}

function drawText({ sample: { texts }, number }: Drawn, seed: number): string {
  const [only] = texts as [string]
  return texts.length === 1 ? only : texts[Math.floor(randomFor(`${seed}:text:${number}`)() * texts.length)]!
}

function badCounter({ from, onBad }: LoaderOptions) {
  let count = 0
  let first: DataError | undefined
  return ({ sample, number }: Drawn, error: DataError): void => {
    count++
    first ??= error
    onBad?.(sample, error)
    if (count > fewBad + (number - from) / 100) {
      throw new DataError(`${count} images cannot be read, the first: ${first.message}`, { cause: first })
    }
  }
}
