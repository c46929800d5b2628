import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError } from '../../src/errors.ts'
import { generate } from '../../src/generation/generate.ts'
import { likeliest } from '../../src/generation/greedy.ts'
import { type GenerationOptions, type TokenIds, validateOptions } from '../../src/generation/options.ts'
import { uniform } from '../../src/generation/random.ts'
import { draw } from '../../src/generation/sampling.ts'
import { bestFirst, type GeneratedSequence } from '../../src/generation/sequence.ts'
import { fakeDecoder, type Model, randomModel } from './fake-decoder.ts'
import { naiveLogSoftmax, naiveProcess, naiveWarp } from './naive-processors.ts'
import { picker } from './random-options.ts'

const ids: TokenIds = { startTokenId: 1, eosTokenIds: [2], padTokenId: 0 }

function randomOptions(seed: number): GenerationOptions {
  const pick = picker(seed)
  const maxNewTokens = pick([1, 2, 5, 9])
  return {
    maxNewTokens,
    minNewTokens: Math.min(pick([0, 0, 1, 4]), maxNewTokens),
    lengthPenalty: pick([1, 0, -1, 2]),
    repetitionPenalty: pick([1, 1.5, 0.7]),
    noRepeatNgramSize: pick([0, 0, 2, 3]),
  }
}

/** Random sampling options for the same seed. */
function randomSampling(seed: number): GenerationOptions {
  const pick = picker(seed + 1e6)
  return {
    ...randomOptions(seed),
    sample: true,
    seed,
    numReturnSequences: pick([1, 2, 5]),
    topP: pick([1, 0.9, 0.5]),
    topK: pick([Number.POSITIVE_INFINITY, 10, 3]),
    temperature: pick([1, 0.7, 1.5]),
  }
}

/** One sequence, one token after the other, from whole paths; `choose` picks from processed logits. */
function naiveSequence(
  model: Model,
  itemSeed: number,
  options: GenerationOptions,
  choose: (scores: number[], step: number) => number,
): GeneratedSequence {
  const settings = validateOptions(options)
  const tokens: number[] = []
  let sum = 0
  let finishReason: GeneratedSequence['finishReason'] = 'length'
  for (let step = 1; step <= settings.maxNewTokens && finishReason === 'length'; step++) {
    const logits = [...model(itemSeed, tokens)]
    const token = choose(naiveProcess(logits, [ids.startTokenId, ...tokens], settings, ids), step)
    sum += naiveLogSoftmax(logits)[token]!
    if (token === 2) finishReason = 'eos'
    else tokens.push(token)
  }
  return { tokens, score: sum / (tokens.length + 1) ** settings.lengthPenalty, finishReason }
}

describe('greedy search', () => {
  test("equals a naive loop: processors on logits, the model's own log-probabilities as score", async () => {
    for (let seed = 0; seed < 1000; seed++) {
      const options = randomOptions(seed)
      const model = randomModel(12, 8, seed % 3 === 0 ? 1 : 0)
      const expected = naiveSequence(model, seed, options, (scores) => scores.indexOf(Math.max(...scores)))
      assert.deepEqual(await generate(fakeDecoder(model, 12, [seed]), options, ids), [[expected]])
    }
  })

  test('the likeliest token is the first of equals', () => {
    assert.equal(likeliest(Float32Array.of(1, 3, 3, 2)), 1)
    assert.equal(likeliest(Float32Array.of(-Infinity, -5)), 1)
    assert.equal(likeliest(Float32Array.of(-Infinity, -Infinity)), -1)
  })

  test('several end-of-sequence tokens: any of them ends, none of them is returned', async () => {
    const model: Model = (item, path) =>
      Float32Array.from([0, 1, 2, 3, 4], (t) => (t === 4 - path.length - item ? 9 : 0))
    const ends = { ...ids, eosTokenIds: [2, 3] }
    const found = await generate(fakeDecoder(model, 5, [0, 1, 2]), { maxNewTokens: 8 }, ends)
    assert.deepEqual(
      found.map(([sequence]) => [sequence!.tokens, sequence!.finishReason]),
      [
        [[4], 'eos'],
        [[], 'eos'],
        [[], 'eos'],
      ],
    )
  })
})

describe('sampling', () => {
  test('equals a naive loop for each sequence', async () => {
    for (let seed = 0; seed < 1000; seed++) {
      const settings = validateOptions(randomSampling(seed))
      const model = randomModel(12, 4)
      const expected = Array.from({ length: settings.numReturnSequences }, (_, sequence) =>
        naiveSequence(model, seed, settings, (scores, step) => {
          const weights = naiveWarp(scores, settings).map(Math.exp)
          const total = weights.reduce((sum, weight) => sum + weight)
          const target = uniform(seed, sequence, step) * total
          return weights.findIndex((_, token) => weights.slice(0, token + 1).reduce((a, b) => a + b) > target)
        }),
      )
      assert.deepEqual(await generate(fakeDecoder(model, 12, [seed]), settings, ids), [bestFirst(expected)])
    }
  })

  test('a batch equals its items alone; more sequences do not change the first ones', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const options = randomSampling(seed)
      const model = randomModel(12, 4)
      const batch = await generate(fakeDecoder(model, 12, [seed, 5, seed]), options, ids)
      const [alone] = await generate(fakeDecoder(model, 12, [5]), options, ids)
      assert.deepEqual(batch[1], alone)
      assert.deepEqual(batch[0], batch[2])
      const [more] = await generate(fakeDecoder(model, 12, [5]), { ...options, numReturnSequences: 6 }, ids)
      for (const sequence of alone!) assert.ok(more!.some((other) => isEqual(other, sequence)))
    }
  })

  test('the same seed repeats, another seed differs, no seed differs from call to call', async () => {
    const run = (seed?: number) =>
      generate(fakeDecoder(randomModel(50, 1), 50, [1]), { sample: true, maxNewTokens: 20, seed }, ids)
    assert.deepEqual(await run(3), await run(3))
    assert.notDeepEqual(await run(3), await run(4))
    assert.notDeepEqual(await run(), await run())
  })

  test('tokens come as often as the model says', async () => {
    const probabilities = [0.1, 0.2, 0.3, 0.4]
    const model: Model = () => Float32Array.from(probabilities, Math.log)
    const options = { sample: true, seed: 1, maxNewTokens: 1, numReturnSequences: 10000 }
    const [found] = await generate(fakeDecoder(model, 4, [0]), options, { ...ids, eosTokenIds: [] })
    const counts = probabilities.map((_, token) => found!.filter(({ tokens }) => tokens[0] === token).length)
    // Chi-square with 3 degrees of freedom: 11.3 is exceeded once in a hundred, and the seed is fixed.
    const distance = counts.reduce(
      (sum, n, t) => sum + (n - 1e4 * probabilities[t]!) ** 2 / (1e4 * probabilities[t]!),
      0,
    )
    assert.ok(distance < 11.3, `${counts}`)
  })

  test("temperature, top-k and top-p shape the draw; the score stays the model's own", async () => {
    const model: Model = () => Float32Array.from([0.1, 0.2, 0.3, 0.4], Math.log)
    const drawn = async (filter: GenerationOptions) => {
      const options = { sample: true, seed: 1, maxNewTokens: 1, numReturnSequences: 1000, ...filter }
      const [found] = await generate(fakeDecoder(model, 4, [0]), options, { ...ids, eosTokenIds: [] })
      return found!
    }
    const tokens = (found: Awaited<ReturnType<typeof drawn>>) => [...new Set(found.flatMap((s) => s.tokens))].sort()
    assert.deepEqual(tokens(await drawn({ topK: 2 })), [2, 3])
    assert.deepEqual(tokens(await drawn({ topP: 0.75 })), [1, 2, 3]) // 0.1 fits into 0.25, 0.1 + 0.2 does not
    assert.deepEqual(tokens(await drawn({ temperature: 0.01 })), [3])
    const [first] = await drawn({ topK: 1 })
    assert.ok(Math.abs(first!.score - Math.log(0.4) / 2) < 1e-6)
  })

  test('samples come back best first', async () => {
    const options = { sample: true, seed: 9, numReturnSequences: 8, maxNewTokens: 4 }
    const [found] = await generate(fakeDecoder(randomModel(12, 4), 12, [3]), options, ids)
    const scores = found!.map(({ score }) => score)
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a),
    )
    assert.ok(scores[0]! > scores[7]!)
  })

  test('draw: the cumulated probability decides; rounding never leaves the allowed tokens', () => {
    const row = Float32Array.from([0.25, 0, 0.5, 0.25, 0], Math.log)
    assert.deepEqual(
      [0, 0.2499, 0.2501, 0.7499, 0.7501, 1 - 2 ** -53].map((u) => draw(row, u)),
      [0, 0, 2, 2, 3, 3],
    )
    assert.equal(draw(Float32Array.of(-Infinity), 0.5), -1)
  })
})

describe('greedy search and sampling', () => {
  test('stop when all have ended, and never run the decoder after the last token', async () => {
    for (let seed = 0; seed < 200; seed++) {
      for (const options of [randomOptions(seed), randomSampling(seed)]) {
        const decoder = fakeDecoder(randomModel(12), 12, [seed, seed + 1])
        const found = (await generate(decoder, options, ids)).flat()
        const places = found.map(({ tokens, finishReason }) => tokens.length + (finishReason === 'eos' ? 1 : 0))
        assert.equal(decoder.runs, Math.max(...places))
      }
    }
  })

  test('no token allowed is an error that names the reason', async () => {
    const options = { noRepeatNgramSize: 1, maxNewTokens: 9, minNewTokens: 9 }
    for (const sample of [false, true]) {
      await assert.rejects(
        generate(fakeDecoder(randomModel(4), 4, [1]), { ...options, sample }, ids),
        (error: Error) =>
          error instanceof ConfigError && /new token 3 \(noRepeatNgramSize 1, minNewTokens 9\)/.test(error.message),
      )
    }
  })
})

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
