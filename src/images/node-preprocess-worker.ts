/** The thread that `node-preprocess.ts` starts: one picture in, its pixel values out. */
import { parentPort } from 'node:worker_threads'
import { DataError } from '../errors.ts'
import { pixelValues } from './preprocess.ts'
import type { RgbImage } from './rgb-image.ts'
import type { View } from './view.ts'

export interface PreprocessRequest {
  readonly id: number
  readonly image: RgbImage
  readonly size: number
  readonly view: View | undefined
}

/** `values` (3, size, size), or what was thrown: crossing threads an error keeps its message, but not a class of ours. */
export type PreprocessReply =
  | { readonly id: number; readonly values: Float32Array<ArrayBuffer> }
  | { readonly id: number; readonly error: unknown; readonly isDataError: boolean }

const port = parentPort!

port.on('message', ({ id, image, size, view }: PreprocessRequest) => {
  try {
    const values = pixelValues([image], size, view && [view]) as Float32Array<ArrayBuffer>
    port.postMessage({ id, values } satisfies PreprocessReply, [values.buffer])
  } catch (error) {
    port.postMessage({ id, error, isDataError: error instanceof DataError } satisfies PreprocessReply)
  }
})
