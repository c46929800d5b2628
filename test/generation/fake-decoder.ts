/** A decoder without a model: its logits are a function of an item's seed and the whole path of new tokens. */
import assert from 'node:assert/strict'
import type { Decoder } from '../../src/generation/decoder.ts'

/** The logits (vocabSize) after `path` new tokens of the item with this seed. */
export type Model = (itemSeed: number, path: readonly number[]) => Float32Array

export interface FakeDecoder extends Decoder {
  /** How often the decoder ran, the prefix included. */
  readonly runs: number
  /** What each step was given. */
  readonly steps: readonly { readonly tokens: readonly number[]; readonly parents: readonly number[] }[]
}

/** 32 well-mixed bits of a few integers (the finaliser of MurmurHash3 after each). */
export function hash(...integers: readonly number[]): number {
  let h = 0x9e3779b9
  for (const integer of integers) {
    h = Math.imul(h ^ integer, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h = (h ^ (h >>> 16)) >>> 0
  }
  return h >>> 0
}

/** Uniform logits in [-spread / 2, spread / 2], a multiple of `grain` if given: a coarse grain makes many ties. */
export function randomModel(vocabSize: number, spread = 8, grain = 0): Model {
  return (itemSeed, path) =>
    Float32Array.from({ length: vocabSize }, (_, token) => {
      const logit = (hash(itemSeed, ...path, -1, token) / 2 ** 32 - 0.5) * spread
      return grain > 0 ? Math.round(logit / grain) * grain : logit
    })
}

/**
 * Keeps the token tree that the contract of `Decoder` describes and recomputes every branch's path from it. Fails on
 * any breach of the contract.
 */
export function fakeDecoder(model: Model, vocabSize: number, itemSeeds: readonly number[]): FakeDecoder {
  const items = itemSeeds.length
  let runs = 0
  const steps: { tokens: number[]; parents: number[] }[] = []
  let paths: number[][][] = itemSeeds.map(() => [[]])
  let branches = 0
  const logits = (): Float32Array => {
    const rows = paths.flatMap((ofItem, item) => ofItem.map((path) => model(itemSeeds[item]!, path)))
    const all = new Float32Array(rows.length * vocabSize)
    for (const [i, row] of rows.entries()) all.set(row, i * vocabSize)
    return all
  }
  return {
    items,
    vocabSize,
    get runs() {
      return runs
    },
    steps,
    async prefill() {
      assert.equal(runs++, 0, 'prefill comes first, once')
      return logits()
    },
    async step(tokens, parents) {
      assert.ok(runs++ > 0, 'prefill comes before step')
      if (runs === 2) branches = tokens.length / items
      assert.ok(Number.isInteger(branches) && branches > 0, `${tokens.length} tokens for ${items} items`)
      assert.equal(tokens.length, items * branches, 'the first step fixes the number of branches')
      assert.equal(parents.length, tokens.length)
      steps.push({ tokens: [...tokens], parents: [...parents] })
      paths = paths.map((ofItem, item) =>
        Array.from({ length: branches }, (_, branch) => {
          const token = tokens[item * branches + branch]!
          assert.ok(token >= 0 && token < vocabSize, `token ${token}`)
          const parent = ofItem[parents[item * branches + branch]!]
          assert.ok(parent, `parent ${parents[item * branches + branch]} of ${ofItem.length} branches`)
          return [...parent, token]
        }),
      )
      return logits()
    },
  }
}
