import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { beamSearch } from '../../src/generation/beam.ts'
import { generate } from '../../src/generation/generate.ts'
import { type GenerationSettings, type TokenIds, validateOptions } from '../../src/generation/options.ts'
import { fakeDecoder, type Model, randomModel } from './fake-decoder.ts'
import { naiveBeamSearch } from './naive-beam.ts'
import { naiveLogSoftmax } from './naive-processors.ts'
import { picker } from './random-options.ts'

interface Case {
  readonly settings: GenerationSettings
  readonly ids: TokenIds
  readonly vocabSize: number
  readonly model: Model
}

/** Every option of beam search, on vocabularies from tiny to a few times the candidates; every third case has many ties. */
function randomCase(seed: number): Case {
  const pick = picker(seed)
  const eosTokenIds = pick<readonly number[]>([[2], [2], [2], [0], [1, 3], []])
  const vocabSize = pick([4, 5, 7, 12, 40])
  const numBeams = pick([2, 3, 4, 5, 8])
  const maxNewTokens = pick([1, 2, 3, 5, 8, 12])
  const settings = validateOptions({
    numBeams,
    maxNewTokens,
    minNewTokens: Math.min(pick([0, 0, 0, 1, 4]), maxNewTokens),
    lengthPenalty: pick([1, 1, 0, -1, 0.6, 2, -2.5]),
    earlyStopping: pick([false, false, true, 'never'] as const),
    numReturnSequences: Math.min(pick([1, 1, 2, 5]), numBeams),
    repetitionPenalty: pick([1, 1, 1.5, 0.7]),
    noRepeatNgramSize: pick([0, 0, 1, 2, 3]),
  })
  const model = randomModel(vocabSize, pick([2, 8, 20]), pick([0, 0, 1]))
  return { settings, ids: { startTokenId: pick([0, 1, 2]), eosTokenIds, padTokenId: pick([0, 1]) }, vocabSize, model }
}

describe('beam search', () => {
  test('equals the naive transcription of transformers 4.27.1: tokens, scores, reasons and number of runs', async () => {
    for (let seed = 0; seed < 4000; seed++) {
      const { settings, ids, vocabSize, model } = randomCase(seed)
      const decoder = fakeDecoder(model, vocabSize, [seed])
      const [found] = await beamSearch(decoder, settings, ids)
      const expected = naiveBeamSearch(model, seed, settings, ids)
      assert.deepEqual(found, expected.sequences, `case ${seed}: ${JSON.stringify(settings)}`)
      assert.equal(decoder.runs, expected.steps)
    }
  })

  test('a batch equals its items alone', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const { settings, ids, vocabSize, model } = randomCase(seed)
      const itemSeeds = [seed, seed + 1, seed, seed + 7000]
      const batch = await beamSearch(fakeDecoder(model, vocabSize, itemSeeds), settings, ids)
      for (const [item, itemSeed] of itemSeeds.entries()) {
        const [alone] = await beamSearch(fakeDecoder(model, vocabSize, [itemSeed]), settings, ids)
        assert.deepEqual(batch[item], alone)
      }
    }
  })

  test('an item that is done is fed pads and itself while the others go on', async () => {
    const settings = validateOptions({ numBeams: 3, maxNewTokens: 8, earlyStopping: true })
    const ids: TokenIds = { startTokenId: 1, eosTokenIds: [2], padTokenId: 9 }
    const model = randomModel(12)
    const aloneRuns = await Promise.all(
      [1, 2, 3, 4].map(async (seed) => {
        const alone = fakeDecoder(model, 12, [seed])
        await beamSearch(alone, settings, ids)
        return alone.runs
      }),
    )
    assert.ok(new Set(aloneRuns).size > 1, 'the items must end at different steps for this test')
    const decoder = fakeDecoder(model, 12, [1, 2, 3, 4])
    await beamSearch(decoder, settings, ids)
    assert.equal(decoder.runs, Math.max(...aloneRuns))
    for (const [i, { tokens, parents }] of decoder.steps.entries()) {
      for (const [item, runs] of aloneRuns.entries()) {
        const done = i + 2 > runs
        const part = [item * 3, item * 3 + 3] as const
        assert.equal(
          tokens.slice(...part).every((token) => token === 9),
          done,
        )
        if (done) assert.deepEqual(parents.slice(...part), i === 0 ? [0, 0, 0] : [0, 1, 2])
      }
    }
  })

  test('with room for every continuation it finds the best of all sequences', async () => {
    const ids: TokenIds = { startTokenId: 0, eosTokenIds: [3], padTokenId: 0 }
    const [vocabSize, maxNewTokens, numReturnSequences] = [4, 4, 10]
    for (let seed = 0; seed < 40; seed++) {
      const model = randomModel(vocabSize)
      const lengthPenalty = [1, 0, -1, 2][seed % 4]!
      const best = everySequence(model, seed, vocabSize, 3, maxNewTokens)
        .map(({ tokens, logProbability }) => ({ tokens, score: logProbability / (tokens.length + 1) ** lengthPenalty }))
        .sort((a, b) => b.score - a.score)
        .slice(0, numReturnSequences)
      // 3 open tokens: at most 27 beams with 4 continuations each, so none of 120 is ever dropped.
      const options = {
        numBeams: 120,
        maxNewTokens,
        lengthPenalty,
        numReturnSequences,
        earlyStopping: 'never',
      } as const
      const [found] = await generate(fakeDecoder(model, vocabSize, [seed]), options, ids)
      assert.deepEqual(found!.map(tokensOf), best.map(tokensOf))
      for (const [i, { score }] of found!.entries()) assertClose(score, best[i]!.score)
    }
  })

  test('a case by hand', async () => {
    // Probabilities after each path; eos is 2. Beams 2, length penalty 1, the start token counts as a token.
    // Step 1: [0] ln .5, [1] ln .4 stay open (eos ln .1 is only third, so it is dropped).
    // Step 2: [1] eos ln(.4·.9) ranks first and scores ln .36 / 2; [0, 1] ln .3 and [0, 0] ln .15 stay open.
    // Step 3: [0, 1] eos ln(.3·.8) / 3 is the second hypothesis, and the better one; the best open beam has ln .12.
    const table: Record<string, readonly number[]> = {
      '': [0.5, 0.4, 0.1],
      '0': [0.3, 0.6, 0.1],
      '1': [0.05, 0.05, 0.9],
      '0,1': [0.1, 0.1, 0.8],
      '0,0': [0.8, 0.1, 0.1],
    }
    const model: Model = (_, path) => Float32Array.from(table[path.join()]!, Math.log)
    const options = { numBeams: 2, maxNewTokens: 9, numReturnSequences: 2, earlyStopping: true } as const
    const decoder = fakeDecoder(model, 3, [0])
    const [found] = await generate(decoder, options, { startTokenId: 0, eosTokenIds: [2], padTokenId: 0 })
    assert.deepEqual(found!.map(tokensOf), [[0, 1], [1]])
    assertClose(found![0]!.score, Math.log(0.24) / 3)
    assertClose(found![1]!.score, Math.log(0.36) / 2)
    assert.deepEqual(
      found!.map((sequence) => sequence.finishReason),
      ['eos', 'eos'],
    )
    assert.equal(decoder.runs, 3)
  })
})

/** All sequences that end with eos or have maxNewTokens tokens, with their log-probabilities. */
function everySequence(model: Model, seed: number, vocabSize: number, eos: number, maxNewTokens: number) {
  const grow = (tokens: number[], logProbability: number): { tokens: number[]; logProbability: number }[] => {
    if (tokens.length === maxNewTokens) return [{ tokens, logProbability }]
    const scores = naiveLogSoftmax([...model(seed, tokens)])
    return Array.from({ length: vocabSize }, (_, token) => token).flatMap((token) => {
      const total = logProbability + scores[token]!
      return token === eos ? [{ tokens, logProbability: total }] : grow([...tokens, token], total)
    })
  }
  return grow([], 0)
}

const tokensOf = ({ tokens }: { readonly tokens: readonly number[] }): readonly number[] => tokens

function assertClose(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) <= 1e-5 * Math.abs(expected), `${found}, expected ${expected}`)
}
