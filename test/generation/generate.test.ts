import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError, SessionError } from '../../src/errors.ts'
import type { Decoder } from '../../src/generation/decoder.ts'
import { generate, streamGenerate } from '../../src/generation/generate.ts'
import type { GenerationOptions, TokenIds } from '../../src/generation/options.ts'
import { bestFirst, type GeneratedSequence, type StreamedToken } from '../../src/generation/sequence.ts'
import { fakeDecoder, randomModel } from './fake-decoder.ts'
import { picker } from './random-options.ts'

const ids: TokenIds = { startTokenId: 1, eosTokenIds: [2], padTokenId: 0 }
const searches: Record<string, GenerationOptions> = {
  greedy: { maxNewTokens: 6 },
  beams: { maxNewTokens: 6, numBeams: 4, numReturnSequences: 3 },
  samples: { maxNewTokens: 6, sample: true, seed: 5, numReturnSequences: 3 },
}
const items = [11, 12, 13]
const decoder = () => fakeDecoder(randomModel(12, 4), 12, items)

async function drain(stream: AsyncGenerator<StreamedToken, GeneratedSequence[][], void>) {
  const tokens: StreamedToken[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done) return { tokens, sequences: next.value }
    tokens.push(next.value)
  }
}

for (const [name, options] of Object.entries(searches)) {
  describe(name, () => {
    test('the stream, its result, onToken and generate tell the same', async () => {
      const { tokens, sequences } = await drain(streamGenerate(decoder(), options, ids))
      const called: StreamedToken[] = []
      const found = await generate(decoder(), options, ids, { onToken: (token) => called.push(token) })
      assert.deepEqual(called, tokens)
      assert.deepEqual(found, sequences.map(bestFirst))
      assert.equal(found.length, items.length)
      const streamed = sequences.map((ofItem, item) =>
        ofItem.map((_, sequence) =>
          tokens.flatMap((token) => (token.item === item && token.sequence === sequence ? [token.token] : [])),
        ),
      )
      const expected = sequences.map((ofItem) =>
        ofItem.map(({ tokens }, sequence) => (name === 'beams' && sequence > 0 ? [] : tokens)),
      )
      assert.deepEqual(streamed, expected)
    })

    test("an abort rejects with the signal's reason, before the next run of the decoder", async () => {
      for (let allowed = 0; allowed < 4; allowed++) {
        const controller = new AbortController()
        const inner = decoder()
        const reason = new Error(`enough after ${allowed}`)
        const counted: Decoder = {
          items: inner.items,
          vocabSize: inner.vocabSize,
          prefill: () => run(() => inner.prefill()),
          step: (tokens, parents) => run(() => inner.step(tokens, parents)),
        }
        const run = (call: () => Promise<Float32Array>): Promise<Float32Array> => {
          if (inner.runs + 1 === allowed) controller.abort(reason)
          return call()
        }
        if (allowed === 0) controller.abort(reason)
        await assert.rejects(generate(counted, options, ids, { signal: controller.signal }), reason)
        assert.equal(inner.runs, allowed)
      }
    })

    test('logits of the wrong size and logits that are no numbers are SessionErrors', async () => {
      const short: Decoder = { items: 1, vocabSize: 12, prefill: async () => new Float32Array(11), step: never }
      await assert.rejects(generate(short, options, ids), {
        name: 'SessionError',
        message: 'decoder.prefill: expected (1, 12) = 12 logits, found 11 values',
      })
      const shortStep: Decoder = { ...short, prefill: async () => new Float32Array(12), step: short.prefill }
      await assert.rejects(generate(shortStep, options, ids), /^SessionError: decoder.step: expected \(1, \d, 12\)/)
      const broken: Decoder = { ...short, prefill: async () => new Float32Array(12).fill(Number.NaN) }
      await assert.rejects(generate(broken, options, ids), SessionError)
    })
  })
}

test('a consumer that leaves the stream stops the decoder', async () => {
  const model = decoder()
  for await (const token of streamGenerate(model, searches.greedy!, ids)) {
    assert.deepEqual([token.item, token.sequence], [0, 0])
    break
  }
  assert.equal(model.runs, 1)
})

test('options and token ids are validated before the decoder runs', async () => {
  const unused: Decoder = { items: 1, vocabSize: 12, prefill: never, step: never }
  await assert.rejects(generate(unused, { topP: 0.5 }, ids), ConfigError)
  await assert.rejects(generate(unused, {}, { ...ids, padTokenId: 12 }), ConfigError)
  await assert.rejects(streamGenerate(unused, { topP: 0.5 }, ids).next(), ConfigError)
})

test('no items, no sequences', async () => {
  for (const options of Object.values(searches)) {
    assert.deepEqual(await generate(fakeDecoder(randomModel(12), 12, []), options, ids), [])
  }
})

test('properties of every search: counts, bans, reasons, order', async () => {
  for (let seed = 0; seed < 1500; seed++) {
    const pick = picker(seed)
    const maxNewTokens = pick([1, 3, 8, 15])
    const minNewTokens = Math.min(pick([0, 1, 5, 15]), maxNewTokens)
    const noRepeatNgramSize = pick([0, 2, 3])
    const options = {
      ...pick([
        {},
        { numBeams: 2 },
        { numBeams: 5, numReturnSequences: 4 },
        { sample: true, seed, numReturnSequences: 2 },
      ]),
      maxNewTokens,
      minNewTokens,
      noRepeatNgramSize,
    }
    const found = await generate(fakeDecoder(randomModel(20, pick([1, 8])), 20, [seed]), options, ids)
    const scores = found[0]!.map(({ score }) => score)
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a),
    )
    for (const { tokens, score, finishReason } of found[0]!) {
      assert.ok(score <= 0)
      assert.ok(!tokens.includes(2))
      if (finishReason === 'length') assert.equal(tokens.length, maxNewTokens)
      else assert.ok(tokens.length >= minNewTokens && tokens.length < maxNewTokens)
      const history = [ids.startTokenId, ...tokens]
      const ngrams = history
        .flatMap((_, i) => history.slice(i, i + noRepeatNgramSize).join())
        .slice(0, -noRepeatNgramSize + 1)
      if (noRepeatNgramSize > 0) assert.equal(new Set(ngrams).size, ngrams.length, `${history}`)
    }
  }
})

const never = (): Promise<Float32Array> => assert.fail('the decoder must not run')
