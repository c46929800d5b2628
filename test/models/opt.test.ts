/** Values: test/parity. Here: weights, gradients, masks. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { type Dim, input, type Value } from '../../src/graph/index.ts'
import type { OptConfig } from '../../src/models/config.ts'
import { optDecoder, optEmbedding, optHead } from '../../src/models/opt.ts'
import { emptyCache, type Params, recorderParams, type SomeTokens, someTokens } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { compute, type Feeds } from '../support/evaluate.ts'
import { referenceDir } from '../support/paths.ts'
import { referenceConfig } from '../support/reference.ts'
import { count, floats, longs, numbers, type Tensor } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const folder = join(referenceDir, 'hf-blip2-opt')
const { text_config } = await referenceConfig(folder)
const reference = text_config as OptConfig
const tiny: OptConfig = {
  ...reference,
  vocab_size: 7,
  hidden_size: 4,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  ffn_dim: 6,
  max_position_embeddings: 6,
}

/** Logits (tokens, batch, vocab_size) of a whole text. */
function build(p: Params, config: OptConfig): Value {
  const sizes: Dim[] = ['tokens', 'batch']
  const embeds = optEmbedding(p, config, input('ids', 'int64', sizes))
  const mask = input('mask', 'float32', ['batch', 1, 'tokens', 'tokens'])
  const hidden = optDecoder(p, config, { embeds, positions: input('positions', 'int64', sizes), mask }, emptyCache())
  return optHead(p, config, hidden)
}

/** Texts of one batch item each, padded on the left with -1; → the feeds, sequence first. */
function textFeeds(texts: readonly (readonly number[])[]): Feeds {
  const [tokens, batch] = [texts[0]!.length, texts.length]
  const cells = Array.from({ length: tokens * batch }, (_, i) => ({
    text: texts[i % batch]!,
    at: Math.floor(i / batch),
  }))
  // Padding sees itself: a row without any key would be NaN, and spread.
  const visible = (text: readonly number[], query: number, key: number) =>
    key === query || (key < query && text[key] !== -1)
  return {
    ids: longs(
      [tokens, batch],
      cells.map(({ text, at }) => Math.max(text[at]!, 0)),
    ),
    positions: longs(
      [tokens, batch],
      cells.map(({ text, at }) => (text[at] === -1 ? -1 : text.slice(0, at).filter((id) => id !== -1).length)),
    ),
    mask: floats(
      [batch, 1, tokens, tokens],
      texts.flatMap((text) =>
        text.flatMap((_, query) => text.map((_, key) => (visible(text, query, key) ? 0 : Number.NEGATIVE_INFINITY))),
      ),
    ),
  }
}

test('asks for the weights of the published file, the tied head once', async () => {
  const { params, shapes } = recorderParams()
  build(params.at('language_model'), reference)
  const { tensors } = await openCheckpoint(join(folder, 'model.safetensors'))
  const stored = [...tensors.values()].filter(
    ({ name }) => name.startsWith('language_model.') && name !== 'language_model.lm_head.weight',
  )
  assert.deepEqual(new Map([...shapes].sort()), new Map(stored.map(({ name, shape }) => [name, shape] as const).sort()))
})

test('gradients of one layer, both embeddings and the tied head', async () => {
  const weights = fedWeights()
  const y = build(weights.params, tiny)
  const random = weights.feeds(100)
  // Far from the kink of the ReLU on either side, so that no step of the difference crosses it.
  const bias = 'model.decoder.layers.0.fc1.bias'
  const feeds = {
    ...random,
    ...textFeeds([
      [3, 1, 6],
      [2, 2, 5],
    ]),
    [bias]: floats([6], [9, -9, 9, 9, -9, 9]),
  }
  await assertGradientsOf(y, weights.values(), feeds, { tolerance: 1e-3 })
})

test('a token sees itself and earlier ones only', async () => {
  const weights = fedWeights()
  const y = build(weights.params, tiny)
  const random = weights.feeds(200)
  const logits = async (text: number[]) => numbers(await compute(y, { ...random, ...textFeeds([text]) }))
  const [before, after] = [await logits([3, 1, 6, 2]), await logits([3, 1, 5, 2])]
  assert.deepEqual(before.slice(0, 14), after.slice(0, 14))
  assert.ok(before.slice(14, 21).some((value, i) => value !== after[14 + i]))
  assert.ok(before.slice(21).some((value, i) => value !== after[21 + i]))
})

test('tokens that are left out, or only seen, change nothing of those that are asked for', async () => {
  const weights = fedWeights()
  const sizes: Dim[] = ['tokens', 'batch']
  const embeds = optEmbedding(weights.params, tiny, input('ids', 'int64', sizes))
  const inputs = {
    embeds,
    positions: input('positions', 'int64', sizes),
    mask: input('mask', 'float32', ['batch', 1, 'tokens', 'tokens']),
  }
  const config = { ...tiny, num_hidden_layers: 2 }
  const [rows, predicting] = ['rows', 'predicting'].map((name) =>
    someTokens(input(`is_${name}`, 'int64', sizes), name),
  ) as [SomeTokens, SomeTokens]
  const all = optDecoder(weights.params, config, inputs, emptyCache())
  const read = optDecoder(weights.params, config, { ...inputs, rows, predicting }, emptyCache())
  assert.deepEqual(read.shape, ['predicting', tiny.hidden_size])
  const feeds = {
    ...weights.feeds(250),
    ...textFeeds([
      [3, 1, 6, 2, 5],
      [4, 2, 6, 0, 0],
    ]),
    is_rows: longs([5, 2], [1, 1, 1, 1, 1, 1, 1, 0, 1, 0]),
    is_predicting: longs([5, 2], [0, 0, 0, 1, 1, 0, 1, 0, 1, 0]),
  }
  const found = await compute(read, feeds)
  assertTensor(found, await compute(predicting.take(all), feeds), 1e-6)
  assert.equal(found.shape[0], 4)
  await assertGradientsOf(read, weights.values(), feeds, { tolerance: 1e-3, step: 1 / 128 })
})

test('padding on the left changes nothing', async () => {
  const weights = fedWeights()
  const y = build(weights.params, { ...tiny, num_hidden_layers: 2 })
  const random = weights.feeds(300)
  const batch = await compute(y, {
    ...random,
    ...textFeeds([
      [-1, -1, 3, 1],
      [4, 2, 0, 6],
    ]),
  })
  const alone = await compute(y, { ...random, ...textFeeds([[3, 1]]) })
  assertTensor(lastRowsOf(batch, 2, 0), alone, 1e-6)
})

/** The last `rows` rows of one item of (tokens, batch, size), as a batch of one. */
function lastRowsOf(tensor: Tensor, rows: number, item: number): Tensor {
  const [tokens, batch, size] = tensor.shape as [number, number, number]
  const shape = [rows, 1, size]
  const values = Array.from({ length: count(shape) }, (_, i) => {
    const row = tokens - rows + Math.floor(i / size)
    return numbers(tensor)[(row * batch + item) * size + (i % size)]!
  })
  return floats(shape, values)
}
