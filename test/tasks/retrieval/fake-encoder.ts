/** An encoder without a model: numbers that depend on the input alone, or a little on what else is in the batch, as real ones do. */
import { createHash } from 'node:crypto'
import type { RgbImage } from '../../../src/images/rgb-image.ts'
import type { RetrievalEncoder } from '../../../src/tasks/retrieval/encoder.ts'
import { uniform } from '../../support/tensors.ts'

export interface FakeOptions {
  readonly queries?: number
  readonly embedSize?: number
  readonly patches?: number
  readonly hiddenSize?: number
  /** How much the batch changes its items. Default 0. */
  readonly noise?: number
  /** Called before each call does anything. */
  readonly onCall?: (call: Call) => void
}

export interface Call {
  readonly kind: 'images' | 'texts' | 'match'
  readonly items: number
  /** Token counts of the texts that are matched. */
  readonly lengths?: readonly number[]
  /** Which image is matched. */
  readonly imageEmbeds?: Float32Array
}

/** A picture of one pixel, whose colour is the number. */
export function pixel(number: number): RgbImage {
  return { width: 1, height: 1, data: Uint8Array.of(number & 255, (number >> 8) & 255, number >> 16) }
}

export function fakeEncoder(options: FakeOptions = {}): RetrievalEncoder {
  const { queries = 3, embedSize = 8, patches = 2, hiddenSize = 5, noise = 0, onCall = () => {} } = options
  return {
    queries,
    embedSize,
    patches,
    hiddenSize,
    async encodeImages(images) {
      onCall({ kind: 'images', items: images.length })
      return images.map((image, i) => {
        const random = uniform(seedOf((image as RgbImage).data.join()))
        const shift = noise * (images.length + i)
        const projected = Array.from({ length: queries }, () => unit(embedSize, random, shift)).flat()
        const imageEmbeds = Float32Array.from({ length: patches * hiddenSize }, () => random() * 4 - 2 + shift)
        return { projected: Float32Array.from(projected), imageEmbeds }
      })
    },
    async encodeTexts(texts) {
      onCall({ kind: 'texts', items: texts.length })
      return texts.map((text, i) => ({
        projected: Float32Array.from(unit(embedSize, uniform(seedOf(text)), noise * (texts.length + i))),
        tokens: Array.from(text, (character) => character.codePointAt(0)!),
      }))
    },
    async matchLogits(imageEmbeds, texts) {
      onCall({ kind: 'match', items: texts.length, lengths: texts.map((tokens) => tokens.length), imageEmbeds })
      const longest = Math.max(...texts.map((tokens) => tokens.length))
      const logits = texts.map((tokens) => pairLogits(imageEmbeds, tokens, noise * (texts.length + longest)))
      return {
        match: Float32Array.from(logits, ([match]) => match),
        noMatch: Float32Array.from(logits, ([, no]) => no),
      }
    },
  }
}

/** [match, no match] of one pair. */
function pairLogits(imageEmbeds: Float32Array, tokens: readonly number[], shift: number): [number, number] {
  const random = uniform(seedOf(`${tokens}`))
  let match = 0
  for (const value of imageEmbeds) match += value * (random() - 0.5)
  return [match + shift, 1 - match * random() - shift]
}

function unit(size: number, random: () => number, shift: number): number[] {
  const values = Array.from({ length: size }, () => random() - 0.5 + shift)
  const length = Math.hypot(...values)
  return values.map((value) => value / length)
}

function seedOf(text: string): number {
  return createHash('sha256').update(text).digest().readInt32LE(0)
}
