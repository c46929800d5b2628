import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input, labelled } from '../../src/graph/index.ts'
import { type Blip2Config, type OptConfig, parseConfig, type RetrievalConfig } from '../../src/models/config.ts'
import { imageHidden } from '../../src/models/image-encoder.ts'
import { contrastiveGraph, languageModelGraph, SCAFFOLD } from '../../src/models/pretraining.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { evaluate } from '../support/evaluate.ts'
import { filled, floats, longs, normal, numbers } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const shared = {
  model_type: 'blip-2',
  vision_config: {
    hidden_size: 4,
    intermediate_size: 5,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    image_size: 4,
    patch_size: 2,
  },
  num_query_tokens: 1,
}
const retrieval = parseConfig(
  {
    ...shared,
    qformer_config: {
      use_qformer_text_input: true,
      vocab_size: 9,
      hidden_size: 4,
      num_attention_heads: 2,
      num_hidden_layers: 1,
      intermediate_size: 5,
      max_position_embeddings: 6,
    },
    image_text_hidden_size: 3,
  },
  'tiny',
) as RetrievalConfig
const language = (
  parseConfig(
    {
      ...shared,
      qformer_config: { hidden_size: 4, num_attention_heads: 2, num_hidden_layers: 1, intermediate_size: 5 },
      text_config: {
        model_type: 'opt',
        vocab_size: 7,
        hidden_size: 4,
        ffn_dim: 5,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 8,
      },
    },
    'tiny',
  ) as Blip2Config
).text_config as OptConfig

const [CLS, SEP, BOS, PAD] = [2, 3, 2, 1]
const pairs = {
  image_hidden: normal(1, [3, 3, 4]), // patches, batch, size
  // [CLS] a b [SEP], [CLS] c [SEP] and a column that is padded once more
  input_ids: longs([4, 3], [CLS, CLS, CLS, 5, 6, 7, 8, SEP, SEP, SEP, 0, 0]),
  image_ids: longs([3], [0, 1, 2]),
}

function contrastive() {
  const weights = fedWeights()
  const { loss } = contrastiveGraph(weights.params, retrieval, input('image_hidden', 'float32', [3, 'batch', 4]))
  return { weights, loss, similarity: labelled([loss]).get('sim_i2t')! }
}

/** A temperature that leaves the gradient room. */
const warm = { [`${SCAFFOLD}.temp`]: floats([], [0.5]) }

/** Cross-entropy with a smoothing of 0.1, both ways; the pairs of one image share the target. */
function naiveLoss(similarity: readonly number[], ids: readonly number[]): number {
  const n = ids.length
  const at = (row: number, column: number) => similarity[row * n + column]!
  const towards = (score: (row: number, column: number) => number) => {
    let sum = 0
    for (const row of ids.keys()) {
      const total = Math.log(ids.reduce((all, _, column) => all + Math.exp(score(row, column)), 0))
      const same = ids.filter((id) => id === ids[row]).length
      for (const [column, id] of ids.entries()) {
        const target = 0.9 * (id === ids[row] ? 1 / same : 0) + 0.1 / n
        sum -= (target * (score(row, column) - total)) / n
      }
    }
    return sum
  }
  return (towards(at) + towards((row, column) => at(column, row))) / 2
}

test('contrastive: the loss is that of the similarities, with pairs of their own and with shared images', async () => {
  const { weights, loss, similarity } = contrastive()
  for (const ids of [
    [0, 1, 2],
    [0, 1, 0],
  ]) {
    const feeds = { ...weights.feeds(10), ...warm, ...pairs, image_ids: longs([3], ids) }
    const found = await evaluate({ loss, similarity }, feeds)
    const scores = numbers(found.similarity)
    assert.ok(
      scores.every((score) => Math.abs(score) <= 2.000001),
      'cosines, divided by the temperature',
    )
    assert.ok(Math.abs(numbers(found.loss)[0]! - naiveLoss(scores, ids)) < 1e-5)
  }
})

test('contrastive: pictures and texts that all look alike cost the logarithm of their number', async () => {
  const { weights, loss } = contrastive()
  const blind = Object.fromEntries(
    Object.entries(weights.feeds(20)).map(([name, tensor]) => [
      name,
      /_projection\.weight$/.test(name) ? filled(tensor.shape, 0) : tensor,
    ]),
  )
  const found = await evaluate({ loss }, { ...blind, ...warm, ...pairs })
  assert.ok(Math.abs(numbers(found.loss)[0]! - Math.log(3)) < 1e-6)
})

test('contrastive: a picture is the mean of its patches; padding of a text changes nothing', async () => {
  const { weights, similarity } = contrastive()
  const feeds = { ...weights.feeds(30), ...warm, ...pairs }
  const expected = numbers((await evaluate({ similarity }, feeds)).similarity)
  const padded = { ...feeds, input_ids: longs([5, 3], [...numbers(pairs.input_ids), 0, 0, 0]) }
  const patches = numbers(pairs.image_hidden)
  const turned = { ...feeds, image_hidden: floats([3, 3, 4], [...patches.slice(12), ...patches.slice(0, 12)]) }
  for (const other of [padded, turned]) {
    const found = numbers((await evaluate({ similarity }, other)).similarity)
    assert.ok(
      found.every((value, i) => Math.abs(value - expected[i]!) < 1e-5),
      `${found} and ${expected}`,
    )
  }
})

test('contrastive: gradients of every weight, those of the image encoder among them', async () => {
  const weights = fedWeights()
  const { vision_config } = retrieval
  const pixels = input('pixel_values', 'float32', ['batch', 3, 4, 4])
  const { loss } = contrastiveGraph(weights.params, retrieval, imageHidden(weights.params, vision_config, pixels))
  const { image_hidden, ...texts } = pairs
  const feeds = { ...weights.feeds(40), ...warm, ...texts, pixel_values: normal(2, [3, 3, 4, 4]) }
  const some = weights
    .values()
    .filter(({ label }) => /temp$|projection|patch_embedding\.bias|qkv\.weight|word_emb|post_layernorm/.test(label!))
  assert.equal(some.length, 12)
  await assertGradientsOf(loss, some, feeds, { tolerance: 2e-3 })
})

const texts = { input_ids: longs([4, 2], [BOS, BOS, 4, 5, 6, 4, 3, PAD]) }

test('language-model: a model that knows nothing costs the logarithm of its words', async () => {
  const weights = fedWeights()
  const { loss } = languageModelGraph(weights.params, language)
  const feeds = weights.feeds(50)
  const name = 'model.decoder.embed_tokens.weight' // the head, too
  const found = await evaluate({ loss }, { ...feeds, [name]: filled(feeds[name]!.shape, 0), ...texts })
  assert.ok(Math.abs(numbers(found.loss)[0]! - Math.log(7)) < 1e-6)
})

test('language-model: the mean over all words that are predicted, padding left out', async () => {
  const weights = fedWeights()
  const { loss } = languageModelGraph(weights.params, language)
  const feeds = weights.feeds(60)
  const lossOf = async (...rows: number[][]) => {
    const tokens = Math.max(...rows.map((row) => row.length))
    const ids = Array.from({ length: tokens }, (_, at) => rows.map((row) => row[at] ?? PAD)).flat()
    const found = await evaluate({ loss }, { ...feeds, input_ids: longs([tokens, rows.length], ids) })
    return numbers(found.loss)[0]!
  }
  const [long, short] = [
    [BOS, 4, 6, 3],
    [BOS, 5, 4],
  ]
  const both = (3 * (await lossOf(long!)) + 2 * (await lossOf(short!))) / 5
  assert.ok(Math.abs((await lossOf(long!, short!)) - both) < 1e-5)
})

test('language-model: gradients', async () => {
  const weights = fedWeights()
  const { loss } = languageModelGraph(weights.params, language)
  const feeds = { ...weights.feeds(70), ...texts }
  const some = weights.values().filter(({ label }) => /embed|final_layer_norm|q_proj\.weight|fc2\.bias/.test(label!))
  await assertGradientsOf(loss, some, feeds, { tolerance: 2e-3 })
})
