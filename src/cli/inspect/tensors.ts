/** The tensors that are counted, wherever they are listed. */
import { imageGraph, promptGraph, stepGraph } from '../../models/blip2.ts'
import type { Blip2Config } from '../../models/config.ts'
import { recorderParams } from '../../nn/index.ts'

/** A tensor of a file or of a configuration; `StoredTensor` is one. */
export interface Listed {
  readonly name: string
  /** As in safetensors: F32, BF16, I64, … */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Bytes. */
  readonly length: number
}

/** What a model of this configuration needs, in the order of use, as float32. Builds its graphs; reads nothing. */
export function tensorsOf(config: Blip2Config): Listed[] {
  const { params, shapes } = recorderParams()
  imageGraph(params, config)
  promptGraph(params, config)
  stepGraph(params, config)
  return Array.from(shapes, ([name, shape]) => ({ name, dtype: 'F32', shape, length: 4 * elements(shape) }))
}

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}
