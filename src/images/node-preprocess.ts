/** `pixelValues` in a thread of its own: the resize of a 12-megapixel photo takes 150 ms, in which the caller's event loop goes on. */
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { DataError, SessionError } from '../errors.ts'
import type { PreprocessReply, PreprocessRequest } from './node-preprocess-worker.ts'
import type { RgbImage } from './rgb-image.ts'
import type { View } from './view.ts'

export interface PreprocessOptions {
  /** An abort rejects at once. The picture at work is finished in the thread and thrown away, the others are not begun. */
  readonly signal?: AbortSignal
  /** What is shown of each picture; all of it when absent. */
  readonly views?: readonly View[]
}

export interface Preprocessor {
  /**
   * The values and the errors of `pixelValues` in preprocess.ts. The pictures stay the caller's, who must not change them before the
   * answer. Throws a SessionError if the thread ends, or the signal's reason.
   */
  pixelValues(images: readonly RgbImage[], size: number, options?: PreprocessOptions): Promise<Float32Array>
  /** Ends the thread and rejects what it has not answered. Twice is fine. */
  dispose(): Promise<void>
}

/** A picture that the thread works on, or is about to. */
interface Pending {
  resolve(values: Float32Array): void
  reject(reason: unknown): void
  /** Stops listening to the signal. */
  end(): void
}

/** Bytes that are copied without a pause, 1 or 2 ms. */
const copyStep = 2 ** 22

const entry = new URL(`./node-preprocess-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)

/**
 * The thread starts with the first picture, and again after it was lost; idle, it does not keep the process alive. Small pictures go
 * there too: one way for all, and a server's many small ones would add up.
 */
export function createPreprocessor(): Preprocessor {
  const pending = new Map<number, Pending>()
  let worker: Worker | undefined
  let requests = 0
  let disposed = false

  /** Takes a call off the list, so that it is answered once. */
  function settle(id: number): Pending | undefined {
    const call = pending.get(id)
    pending.delete(id)
    if (pending.size === 0) worker?.unref()
    call?.end()
    return call
  }

  function rejectAll(reason: SessionError): void {
    for (const id of [...pending.keys()]) settle(id)?.reject(reason)
  }

  function start(): Worker {
    // Without the options of this process: the thread needs none, and refuses to start with one such as --input-type.
    const started = new Worker(entry, { name: 'blip2-preprocess', execArgv: [] })
    const lose = (why: string, cause?: unknown) => {
      if (worker !== started) return // the error was reported, now comes the exit; or it was disposed of
      worker = undefined
      rejectAll(new SessionError(`the thread that prepares images ended (${why}); try again`, { cause }))
    }
    started.on('message', (reply: PreprocessReply) => {
      if ('values' in reply) settle(reply.id)?.resolve(reply.values)
      else settle(reply.id)?.reject(revived(reply))
    })
    started.on('error', (error) => lose(error.message, error))
    started.on('exit', (code) => lose(`exit code ${code}`))
    return started
  }

  /** (3, size, size) of one picture. */
  async function ask(
    { width, height, data }: RgbImage,
    size: number,
    view: View | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array> {
    const pixels = await copied(data, signal)
    if (disposed) throw new SessionError('the preprocessor was disposed of; create another one')
    const id = requests++
    const request: PreprocessRequest = { id, image: { width, height, data: pixels }, size, view }
    return new Promise((resolve, reject) => {
      const abort = () => settle(id)?.reject(signal?.reason)
      signal?.addEventListener('abort', abort)
      pending.set(id, { resolve, reject, end: () => signal?.removeEventListener('abort', abort) })
      worker ??= start()
      worker.ref()
      worker.postMessage(request, [pixels.buffer])
    })
  }

  return {
    async pixelValues(images, size, { signal, views } = {}) {
      const values = new Float32Array(images.length * 3 * size * size)
      // One at a time: a batch has one copy of one picture in memory, and an abort leaves the others alone.
      for (const [i, image] of images.entries())
        values.set(await ask(image, size, views?.[i], signal), i * 3 * size * size)
      return values
    },
    async dispose() {
      const last = worker
      disposed = true
      worker = undefined
      rejectAll(new SessionError('the preprocessor was disposed of; create another one'))
      await last?.terminate()
    },
  }
}

/**
 * Pixels that can be moved to the thread: those of the caller stay, and may be part of a pool that must not go along. Step by step,
 * because the memory of a large copy is new to the process, and 36 MB of it cost 20 ms.
 */
async function copied(data: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
  const copy = new Uint8Array(data.length)
  for (let at = 0; at < data.length; at += copyStep) {
    if (at > 0) await turn()
    signal?.throwIfAborted()
    copy.set(data.subarray(at, at + copyStep), at)
  }
  return copy
}

function revived({ error, isDataError }: Extract<PreprocessReply, { error: unknown }>): unknown {
  return isDataError && error instanceof Error ? new DataError(error.message, { cause: error }) : error
}
