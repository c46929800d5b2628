/** Values: test/parity. Here: weights, gradients, masks, buckets of distances. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { input, type Value } from '../../src/graph/index.ts'
import type { T5Config } from '../../src/models/config.ts'
import { t5CrossKeyValues, t5Decoder, t5Embedding, t5Encoder, t5Head } from '../../src/models/t5.ts'
import { relativePositionBucket } from '../../src/models/t5-buckets.ts'
import { type KeyValueCache, type Params, recorderParams } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { compute, type Feeds } from '../support/evaluate.ts'
import { referenceDir } from '../support/paths.ts'
import { referenceConfig } from '../support/reference.ts'
import { floats, longs } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const folder = join(referenceDir, 'hf-blip2-t5')
const { text_config } = await referenceConfig(folder)
const reference = text_config as T5Config
const tiny: T5Config = {
  ...reference,
  vocab_size: 6,
  d_model: 4,
  d_kv: 3,
  d_ff: 5,
  num_heads: 2,
  num_layers: 1,
  num_decoder_layers: 1,
  relative_attention_num_buckets: 4,
  relative_attention_max_distance: 6,
}

/** Logits (tokens, batch, vocab_size) of encoder and decoder in one graph, as training needs them. */
function build(p: Params, config: T5Config): Value {
  const sourceMask = input('source_mask', 'float32', ['batch', 1, 1, 'source'])
  const source = t5Encoder(p, config, {
    embeds: t5Embedding(p, config, input('source_ids', 'int64', ['source', 'batch'])),
    positions: input('source_positions', 'int64', ['source']),
    mask: sourceMask,
  })
  const cache = cacheWithinGraph()
  t5CrossKeyValues(p, config, source, cache)
  const positions = input('positions', 'int64', ['tokens'])
  const hidden = t5Decoder(
    p,
    config,
    {
      embeds: t5Embedding(p, config, input('ids', 'int64', ['tokens', 'batch'])),
      positions,
      keyPositions: positions,
      mask: input('mask', 'float32', ['batch', 1, 'tokens', 'tokens']),
      sourceMask,
    },
    cache,
  )
  return t5Head(p, config, hidden)
}

/** What one half of the graph puts in, the other finds. */
function cacheWithinGraph(): KeyValueCache {
  const stored = new Map<string, Value>()
  return {
    extend(name, fresh) {
      stored.set(name, fresh)
      return fresh
    },
    recall: (name) => stored.get(name)!,
  }
}

/** Two sources of 3 tokens, of which the first one's last is padding; two targets of 2 tokens. */
const hide = Number.NEGATIVE_INFINITY
const feeds: Feeds = {
  source_ids: longs([3, 2], [1, 4, 2, 2, 0, 5]),
  source_positions: longs([3], [0, 1, 2]),
  source_mask: floats([2, 1, 1, 3], [0, 0, hide, 0, 0, 0]),
  ids: longs([2, 2], [0, 0, 3, 1]),
  positions: longs([2], [0, 1]),
  mask: floats([2, 1, 2, 2], [0, hide, 0, 0, 0, hide, 0, 0]),
}

test('asks for the weights of the published file, the shared table once', async () => {
  const { params, shapes } = recorderParams()
  build(params.at('language_model'), reference)
  const { tensors } = await openCheckpoint(join(folder, 'model.safetensors'))
  const stored = [...tensors.values()].filter(
    ({ name }) => name.startsWith('language_model.') && !/coder\.embed_tokens\.weight$/.test(name),
  )
  assert.deepEqual(new Map([...shapes].sort()), new Map(stored.map(({ name, shape }) => [name, shape] as const).sort()))
})

test('gradients of an encoder block, a decoder block, position biases, embeddings and head', async () => {
  const weights = fedWeights()
  const y = build(weights.params, tiny)
  await assertGradientsOf(y, weights.values(), { ...weights.feeds(100), ...feeds }, { step: 1 / 128, tolerance: 1e-3 })
})

test('what is padding does not matter', async () => {
  const weights = fedWeights()
  const y = build(weights.params, { ...tiny, num_layers: 2, num_decoder_layers: 2 })
  const random = weights.feeds(200)
  const other = { ...feeds, source_ids: longs([3, 2], [1, 4, 2, 2, 3, 5]) }
  assertTensor(await compute(y, { ...random, ...other }), await compute(y, { ...random, ...feeds }), 1e-6)
})

describe('relativePositionBucket', () => {
  const buckets = (bidirectional: boolean, count: number, limit: number, distances: readonly number[]) =>
    distances.map((distance) => relativePositionBucket(distance, { bidirectional, buckets: count, limit }))

  test('Flan-T5: 32 buckets, distances to 128', () => {
    // By hand: 8 exact buckets (16 in the decoder), then log(distance / 8) / log(16)·8, cut, for each of two directions.
    assert.deepEqual(
      buckets(true, 32, 128, [0, -1, -7, -8, -11, -12, -16, -127, -128, -1000]),
      [0, 1, 7, 8, 8, 9, 10, 15, 15, 15],
    )
    assert.deepEqual(buckets(true, 32, 128, [1, 7, 8, 12, 16, 127, 128, 1000]), [17, 23, 24, 25, 26, 31, 31, 31])
    assert.deepEqual(
      buckets(false, 32, 128, [0, 5, -1, -15, -16, -32, -64, -127, -128, -1000]),
      [0, 0, 1, 15, 16, 21, 26, 31, 31, 31],
    )
  })

  test('each bucket is used, nearer keys never have a later one, and the limit closes the last', () => {
    for (const [count, limit] of [
      [8, 20],
      [32, 128],
      [16, 64],
    ] as const) {
      for (const bidirectional of [true, false]) {
        const half = bidirectional ? count / 2 : count
        const earlier = buckets(
          bidirectional,
          count,
          limit,
          Array.from({ length: 2 * limit }, (_, i) => -i),
        )
        assert.deepEqual(
          [...new Set(earlier)],
          Array.from({ length: half }, (_, i) => i),
        )
        assert.equal(relativePositionBucket(-limit, { bidirectional, buckets: count, limit }), half - 1)
      }
    }
  })
})
