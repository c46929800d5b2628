/** What the benchmarks of training share: made-up batches, fresh weights, and the memory of this process (Linux). */
import { readFileSync } from 'node:fs'
import { initialisedParams } from '../src/nn/index.ts'
import type { Tensor } from '../src/runtime/device.ts'

/** Tokens of a text of full length. */
export const tokens = 32

/** MB: `VmHWM`, the most that was resident so far, or `VmRSS`, what is now. */
export function memoryMb(field: 'VmHWM' | 'VmRSS'): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1000
}

/** Ids above the special ones. */
export function ids(shape: readonly number[], last: number): Tensor {
  const count = shape.reduce((a, b) => a * b)
  return { dtype: 'int64', shape, data: BigInt64Array.from({ length: count }, (_, i) => BigInt(5 + (i % last))) }
}

export function floats(shape: readonly number[], draw: () => number = Math.random): Tensor {
  return { dtype: 'float32', shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, draw) }
}

/**
 * Tokens of eight texts as long as COCO's: the words of every eighth part of the 25,014 captions of val2017, in order of their length, and two
 * special tokens.
 */
const captionLengths = [10, 11, 11, 12, 12, 13, 14, 16]

/** What stage 2 with OPT reads beside the images where texts are as long as captions, padded to the longest. */
export function captionFeeds(batch: number): Record<string, Tensor> {
  const longest = captionLengths.at(-1) as number
  const lengths = Array.from({ length: batch }, (_, item) => captionLengths[item % captionLengths.length] as number)
  const input_ids = ids([longest, batch], 900)
  const labels: Tensor = { ...input_ids, data: input_ids.data.slice() }
  for (let token = 0; token < longest; token++) {
    for (const [item, length] of lengths.entries()) {
      if (token < length) continue
      input_ids.data[token * batch + item] = 1n
      labels.data[token * batch + item] = -100n
    }
  }
  return { input_ids, labels }
}

/** What the graph of an objective reads beside its images, for texts of full length. */
export function textFeeds(objective: string, batch: number, draw: () => number = Math.random): Record<string, Tensor> {
  const input_ids = ids([tokens, batch], 900)
  switch (objective) {
    case 'stage1':
      return {
        input_ids,
        image_ids: ids([batch], batch),
        'gumbel.images': floats([batch, batch], draw),
        'gumbel.texts': floats([batch, batch], draw),
      }
    case 'stage2':
      return { input_ids, labels: input_ids }
    case 'language-model':
      return { input_ids }
    default:
      throw new Error(`${objective}: stage1, stage2 or language-model`)
  }
}

/** The values that a weight begins with where no checkpoint has it; not kept. */
export function freshValues(name: string, shape: readonly number[]): Float32Array {
  const { source } = initialisedParams({ seed: 1 }).get(name, shape)
  if (source.kind !== 'parameter' || source.data?.kind !== 'memory') throw new Error(name)
  return source.data.values
}
