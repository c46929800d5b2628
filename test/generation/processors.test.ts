import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { validateOptions } from '../../src/generation/options.ts'
import {
  applyProcessors,
  applyWarpers,
  ban,
  noRepeatNgram,
  repetitionPenalty,
  temperature,
  topK,
  topP,
} from '../../src/generation/processors.ts'
import { referenceDir } from '../support/paths.ts'
import { hash } from './fake-decoder.ts'
import { naiveProcess, naiveTopP } from './naive-processors.ts'
import { picker } from './random-options.ts'
import { readSafetensors } from './safetensors.ts'

type Processor = (scores: Float32Array, history: readonly number[]) => void

/** Each processor as the reference names it (transformers 4.27.1; README beside the file). */
const referenceProcessors = (eosTokenId: number): Record<string, Processor> => {
  const ids = { startTokenId: 0, eosTokenIds: [eosTokenId], padTokenId: 0 }
  const processors =
    (options: object): Processor =>
    (scores, history) =>
      applyProcessors(scores, history, validateOptions(options), ids)
  return {
    repetition_penalty_1_5: processors({ repetitionPenalty: 1.5 }),
    no_repeat_ngram_1: processors({ noRepeatNgramSize: 1 }),
    no_repeat_ngram_2: processors({ noRepeatNgramSize: 2 }),
    no_repeat_ngram_3: processors({ noRepeatNgramSize: 3 }),
    min_length_8: processors({ minNewTokens: 7 }), // min_length counts the start token
    min_length_7: processors({ minNewTokens: 6 }),
    temperature_0_7: (scores) => applyWarpers(scores, validateOptions({ sample: true, temperature: 0.7 })),
    top_k_5: (scores) => applyWarpers(scores, validateOptions({ sample: true, topK: 5 })),
    top_p_0_9: (scores) => applyWarpers(scores, validateOptions({ sample: true, topP: 0.9 })),
    top_p_0_3: (scores) => applyWarpers(scores, validateOptions({ sample: true, topP: 0.3 })),
  }
}

for (const folder of ['hf-blip2-opt', 'hf-blip2-t5']) {
  test(`every processor gives the values of ${folder}/logits_processors.safetensors to the bit`, () => {
    const tensors = readSafetensors(join(referenceDir, folder, 'logits_processors.safetensors'))
    const { eos_token_id } = JSON.parse(readFileSync(join(referenceDir, folder, 'cases.json'), 'utf8'))
    const { input_ids, scores, ...expected } = tensors
    const processors = referenceProcessors(eos_token_id)
    assert.deepEqual(Object.keys(processors).sort(), Object.keys(expected).sort())
    const [rows, length] = input_ids!.shape as [number, number]
    const vocabSize = scores!.shape[1]!
    for (const [name, process] of Object.entries(processors)) {
      for (let row = 0; row < rows; row++) {
        const history = Array.from(input_ids!.values.subarray(row * length, (row + 1) * length), Number)
        const found = (scores!.values as Float32Array).slice(row * vocabSize, (row + 1) * vocabSize)
        process(found, history)
        const values = (expected[name]!.values as Float32Array).subarray(row * vocabSize, (row + 1) * vocabSize)
        assert.deepEqual(found, values.slice(), `${name}, row ${row}`)
      }
    }
  })
}

describe('by hand', () => {
  const after = (scores: readonly number[], process: (row: Float32Array) => void): number[] => {
    const row = Float32Array.from(scores)
    process(row)
    return [...row]
  }
  const x = -Infinity

  test('repetition penalty: once for each token, positive scores divided, negative ones multiplied', () => {
    assert.deepEqual(
      after([4, -4, 0, 4], (row) => repetitionPenalty(row, [0, 1, 1, 0, 2], 2)),
      [2, -8, 0, 4],
    )
  })

  test('no-repeat n-gram', () => {
    const banned = (history: readonly number[], size: number): number[] =>
      after([0, 0, 0, 0, 0], (row) => noRepeatNgram(row, history, size)).flatMap((s, token) => (s === x ? [token] : []))
    assert.deepEqual(banned([0, 1, 2, 1], 2), [2])
    assert.deepEqual(banned([0, 1, 2, 1, 3, 1], 2), [2, 3])
    assert.deepEqual(banned([0, 0], 2), [0], 'the start token is part of the history')
    assert.deepEqual(banned([3, 1, 3], 1), [1, 3])
    assert.deepEqual(banned([0, 1, 2, 4, 0, 1], 3), [2])
    assert.deepEqual(banned([0, 1], 3), [], 'too short')
    assert.deepEqual(banned([0], 5), [])
  })

  test('ban, temperature', () => {
    assert.deepEqual(
      after([1, 2, 3], (row) => ban(row, [0, 2])),
      [x, 2, x],
    )
    assert.deepEqual(
      after([1, -2, x], (row) => temperature(row, 0.5)),
      [2, -4, x],
    )
  })

  test('top-k keeps ties with the k-th', () => {
    assert.deepEqual(
      after([3, 1, 2, 2, 0], (row) => topK(row, 2)),
      [3, x, 2, 2, x],
    )
    assert.deepEqual(
      after([3, 1], (row) => topK(row, 9)),
      [3, 1],
    )
  })

  test('top-p: of equally likely tokens the lower index goes first, the likeliest always stays', () => {
    const logs = [0.1, 0.4, 0.1, 0.4].map(Math.log)
    const kept = (scores: readonly number[], p: number): number[] =>
      after(scores, (row) => topP(row, p)).flatMap((s, token) => (s === x ? [] : [token]))
    assert.deepEqual(kept(logs, 0.95), [0, 1, 2, 3])
    assert.deepEqual(kept(logs, 0.85), [1, 2, 3])
    assert.deepEqual(kept(logs, 0.75), [1, 3])
    assert.deepEqual(kept(logs, 0.3), [3])
    assert.deepEqual(kept(logs, 1e-12), [3])
    assert.deepEqual(kept([x, 0, x], 0.5), [1])
    // 1 - p is compared as a float32, which is exactly 2 / 8 here; as a double it is a little less.
    assert.deepEqual(kept([0, 0, 0, 0, 0, 0, 0, 0], 0.750000001), [2, 3, 4, 5, 6, 7])
  })
})

test('top-p equals the definition: sort, cumulate, cut', () => {
  for (let seed = 0; seed < 2000; seed++) {
    const pick = picker(seed)
    const size = pick([1, 2, 7, 50, 400])
    const grain = pick([0, 0.5])
    const scores = Float32Array.from({ length: size }, (_, i) => {
      const score = (hash(seed, i) / 2 ** 32) * pick([1, 10, 30])
      return hash(i, seed) % 9 === 0 && i > 0 ? -Infinity : grain > 0 ? Math.round(score / grain) * grain : score
    })
    const p = pick([0.01, 0.3, 0.5, 0.9, 0.95, 0.999])
    const found = scores.slice()
    topP(found, p)
    assert.deepEqual(found, naiveTopP(scores, p), `seed ${seed}, p ${p}`)
  }
})

test('all processors together equal a plain transcription, in the order of transformers 4.27.1', () => {
  const ids = { startTokenId: 1, eosTokenIds: [2, 3], padTokenId: 0 }
  for (let seed = 0; seed < 2000; seed++) {
    const pick = picker(seed)
    const settings = validateOptions({
      repetitionPenalty: pick([1, 1.2, 0.5]),
      noRepeatNgramSize: pick([0, 1, 2, 3, 4]),
      minNewTokens: pick([0, 3, 6]),
    })
    const history = [1, ...Array.from({ length: pick([0, 1, 2, 5, 9]) }, () => pick([0, 1, 4, 5, 6]))]
    const scores = Float32Array.from({ length: 8 }, (_, i) => (hash(seed, i) / 2 ** 32 - 0.6) * 9)
    const expected = naiveProcess([...scores], history, settings, ids)
    applyProcessors(scores, history, settings, ids)
    assert.deepEqual([...scores], expected)
  }
})
