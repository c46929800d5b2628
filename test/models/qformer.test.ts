/** Values: test/parity. Here: weights and gradients. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { constant, type Dim, input, type Value } from '../../src/graph/index.ts'
import type { QFormerConfig } from '../../src/models/config.ts'
import {
  qformer,
  qformerEmbedding,
  qformerReadingText,
  qformerText,
  qformerWithText,
  type SeenImages,
  seenBeforeNorm,
  seenWithOthers,
} from '../../src/models/qformer.ts'
import { layerNorm, type Params, recorderParams } from '../../src/nn/index.ts'
import { concat, indicesAlong, takeItems } from '../../src/ops/index.ts'
import { assertTensor } from '../support/assert.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { referenceDir } from '../support/paths.ts'
import { referenceConfig } from '../support/reference.ts'
import { floats, longs, normal, numbers } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const folder = join(referenceDir, 'hf-blip2-opt')
const { qformer_config: reference, num_query_tokens } = await referenceConfig(folder)
const tiny: QFormerConfig = {
  ...reference,
  hidden_size: 4,
  num_attention_heads: 2,
  num_hidden_layers: 2,
  intermediate_size: 5,
  cross_attention_frequency: 2,
  encoder_hidden_size: 3,
}

function build(p: Params, config: QFormerConfig, queries: number, image: Value): Value {
  return qformer(p.at('qformer'), config, p.get('query_tokens', [1, queries, config.hidden_size]), image)
}

test('asks for the weights of the published file, no more and no fewer', async () => {
  const { params, shapes } = recorderParams()
  build(
    params,
    reference,
    num_query_tokens,
    input('image', 'float32', ['patches', 'batch', reference.encoder_hidden_size]),
  )
  const { tensors } = await openCheckpoint(join(folder, 'model.safetensors'))
  const stored = [...tensors.values()].filter(({ name }) => /^(qformer\.|query_tokens$)/.test(name))
  assert.deepEqual(new Map([...shapes].sort()), new Map(stored.map(({ name, shape }) => [name, shape] as const).sort()))
})

test('the image is attended to in every n-th layer, from the first on', () => {
  for (const [frequency, layers] of [
    [1, [0, 1, 2, 3]],
    [2, [0, 2]],
    [3, [0, 3]],
  ] as const) {
    const { params, shapes } = recorderParams()
    const config = { ...reference, num_hidden_layers: 4, cross_attention_frequency: frequency }
    build(params, config, 2, input('image', 'float32', ['patches', 'batch', reference.encoder_hidden_size]))
    const seeing = [...shapes.keys()].flatMap((name) => /layer\.(\d+)\.crossattention/.exec(name)?.[1] ?? [])
    assert.deepEqual([...new Set(seeing)].map(Number), layers)
  }
})

test('gradients of a layer with and one without attention to the image, and of queries and image', async () => {
  const weights = fedWeights()
  const image = input('image', 'float32', ['patches', 'batch', 3])
  const y = build(weights.params, tiny, 2, image)
  const feeds = { ...weights.feeds(100), image: normal(1, [3, 2, 3]) }
  await assertGradientsOf(y, [...weights.values(), image], feeds, { tolerance: 1e-3 })
})

describe('images before their norm', () => {
  const hidden = input('hidden', 'float32', ['patches', 'batch', 3])
  const feeds = { hidden: normal(5, [3, 2, 3]) }
  const queries = (p: Params) => p.get('query_tokens', [1, 2, tiny.hidden_size])

  test('are the images behind it, in values and in the gradients of all weights', async () => {
    const weights = fedWeights()
    const p = weights.params
    const folded = qformer(p.at('qformer'), tiny, queries(p), seenBeforeNorm(p.at('norm'), hidden, 1e-5))
    const plain = qformer(p.at('qformer'), tiny, queries(p), layerNorm(p.at('norm'), hidden, 1e-5))
    const fed = { ...weights.feeds(80), ...feeds }
    assertTensor(await compute(folded, fed), await compute(plain, fed), 1e-5)
    await assertGradientsOf(folded, [...weights.values(), hidden], fed, { tolerance: 1e-3 })
  })

  test('twice, with others between: as if each item had an image of its own, in values and gradients', async () => {
    const weights = fedWeights()
    const p = weights.params
    const others = input('others', 'int64', ['batch'])
    const items = concat([indicesAlong(hidden, 1), others, indicesAlong(hidden, 1)], 0)
    const embeds = input('embeds', 'float32', [1, items.shape[0] as Dim, tiny.hidden_size])
    const text = { embeds, mask: constant(new Float32Array(1), [1, 1, 1, 1]) }
    const norm = (x: Value) => seenBeforeNorm(p.at('norm'), x, 1e-5)
    const read = (images: SeenImages) => qformerReadingText(p.at('qformer'), tiny, queries(p), images, text)
    const [grouped, each] = [read(seenWithOthers(norm(hidden), others)), read(norm(takeItems(hidden, items)))]
    const texts = { others: longs([2], [1, 0]), embeds: normal(81, [1, 6, tiny.hidden_size]) }
    const fed = { ...weights.feeds(80), ...feeds, ...texts }
    assertTensor(await compute(grouped, fed), await compute(each, fed), 1e-6)
    await assertGradientsOf(grouped, [...weights.values(), hidden], fed, { tolerance: 1e-3 })
  })
})

describe('a text half', () => {
  const config: QFormerConfig = { ...tiny, vocab_size: 7, max_position_embeddings: 6, use_qformer_text_input: true }
  const ids = longs([3, 2], [2, 3, 4, 5, 1, 6])
  const positions = longs([3, 1], [0, 1, 2])
  const noMask = floats([1, 1, 1, 1], [0])
  const embed = (p: Params) =>
    qformerEmbedding(
      p.at('embeddings'),
      config,
      input('ids', 'int64', [3, 'batch']),
      input('positions', 'int64', [3, 1]),
    )
  const mask = input('mask', 'float32', [1, 1, 1, 1])

  test('one image with a batch of texts is the image repeated for each', async () => {
    const weights = fedWeights()
    const p = weights.params
    const tokens = p.get('query_tokens', [1, 2, config.hidden_size])
    const one = input('image', 'float32', [3, 1, 3])
    const each = input('images', 'float32', [3, 'batch', 3])
    const text = { embeds: embed(p), mask }
    const shared = qformerWithText(p.at('qformer'), config, tokens, one, text)
    const repeated = qformerWithText(p.at('qformer'), config, tokens, each, text)
    const image = normal(3, [3, 1, 3])
    const rows = [0, 1, 2].flatMap((patch) => {
      const row = numbers(image).slice(3 * patch, 3 * patch + 3)
      return [...row, ...row]
    })
    const feeds = { ...weights.feeds(50), ids, positions, mask: noMask, image, images: floats([3, 2, 3], rows) }
    for (const part of ['queries', 'text'] as const) {
      assertTensor(await compute(shared[part], feeds), await compute(repeated[part], feeds), 1e-6)
    }
  })

  test('gradients of words, positions, queries, image and all weights', async () => {
    const weights = fedWeights()
    const p = weights.params
    const tokens = p.get('query_tokens', [1, 2, config.hidden_size])
    const image = input('image', 'float32', [3, 'batch', 3])
    const { queries, text } = qformerWithText(p.at('qformer'), config, tokens, image, { embeds: embed(p), mask })
    const feeds = { ...weights.feeds(60), ids, positions, mask: noMask, image: normal(4, [3, 2, 3]) }
    await assertGradientsOf(concat([queries, text], 0), [...weights.values(), image], feeds, { tolerance: 1e-3 })
  })

  test('a text alone asks for no query and no image weights', () => {
    const { params, shapes } = recorderParams()
    qformerText(params.at('qformer'), config, { embeds: embed(params), mask })
    assert.ok([...shapes.keys()].every((name) => !/query\.dense|output_query|crossattention|query_tokens/.test(name)))
    assert.ok(shapes.has('qformer.encoder.layer.1.intermediate.dense.weight'))
  })
})
