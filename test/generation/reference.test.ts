import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Decoder } from '../../src/generation/decoder.ts'
import { generate } from '../../src/generation/generate.ts'
import { referenceDir } from '../support/paths.ts'
import { readSafetensors } from './safetensors.ts'

/** Plays back recorded logits (steps, items, vocabSize) and keeps the tokens it was fed. */
function playback(logits: Float32Array, shape: readonly number[], fed: number[][]): Decoder {
  const [steps, items, vocabSize] = shape as [number, number, number]
  let step = 0
  const next = async (): Promise<Float32Array> => {
    assert.ok(step < steps, `only ${steps} steps were recorded`)
    return logits.slice(step * items * vocabSize, ++step * items * vocabSize)
  }
  return {
    items,
    vocabSize,
    prefill: next,
    step: (tokens) => {
      fed.push([...tokens])
      return next()
    },
  }
}

for (const folder of ['hf-blip2-opt', 'hf-blip2-t5']) {
  test(`greedy search over the logits recorded in ${folder} gives the recorded sequences`, async () => {
    const { eos_token_id, generate: cases } = JSON.parse(readFileSync(join(referenceDir, folder, 'cases.json'), 'utf8'))
    const greedy = cases.find(({ name }: { name: string }) => name === 'greedy')
    const { shape, values } = readSafetensors(join(referenceDir, folder, 'cases.safetensors'))[
      'out.greedy_step_scores'
    ]!
    const padTokenId = folder === 'hf-blip2-opt' ? 1 : 0
    const [startTokenId] = greedy.sequences_batched[0]
    const fed: number[][] = []
    const found = await generate(
      playback(values as Float32Array, shape, fed),
      { maxNewTokens: greedy.args.max_new_tokens },
      { startTokenId, eosTokenIds: [eos_token_id], padTokenId },
    )
    assert.deepEqual(
      found.map(([sequence]) => [
        [startTokenId, ...sequence!.tokens, ...(sequence!.finishReason === 'eos' ? [eos_token_id] : [])],
      ]),
      greedy.sequences_single,
    )
    // What has ended is fed pads.
    for (const [step, tokens] of fed.entries()) {
      assert.deepEqual(
        tokens,
        found.map(([sequence]) => sequence!.tokens[step] ?? padTokenId),
      )
    }
  })
}
