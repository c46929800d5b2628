/** Values and gradients of the whole: test/parity. Here: what the reference's batches do not show, and the forms of fine-tuning. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { input, type Value } from '../../src/graph/index.ts'
import { type Blip2Config, parseBlip2Config } from '../../src/models/config.ts'
import { imageHidden } from '../../src/models/image-encoder.ts'
import { stage2Graph } from '../../src/models/stage2.ts'
import { trains } from '../../src/models/trainable.ts'
import type { Params } from '../../src/nn/index.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { compute, type Feeds } from '../support/evaluate.ts'
import { longs, normal, numbers } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const languageModels = {
  opt: {
    model_type: 'opt',
    vocab_size: 9,
    hidden_size: 4,
    num_hidden_layers: 1,
    ffn_dim: 5,
    num_attention_heads: 2,
    max_position_embeddings: 12,
  },
  t5: {
    model_type: 't5',
    vocab_size: 9,
    d_model: 4,
    d_kv: 2,
    d_ff: 5,
    num_layers: 1,
    num_heads: 2,
    relative_attention_num_buckets: 4,
    relative_attention_max_distance: 6,
    feed_forward_proj: 'gated-gelu',
    dense_act_fn: 'gelu',
    tie_word_embeddings: false,
  },
}

function configOf(model: keyof typeof languageModels, queries = 2, qformer_reads_question = false): Blip2Config {
  return parseBlip2Config(
    {
      model_type: 'blip-2',
      vision_config: {
        hidden_size: 4,
        num_attention_heads: 1,
        intermediate_size: 5,
        num_hidden_layers: 1,
        image_size: 2,
        patch_size: 2,
      },
      qformer_config: {
        vocab_size: 9,
        hidden_size: 4,
        num_attention_heads: 2,
        num_hidden_layers: 2,
        intermediate_size: 5,
        max_position_embeddings: 6,
      },
      num_query_tokens: queries,
      text_config: languageModels[model],
      qformer_reads_question,
    },
    'tiny',
  )
}

function build(p: Params, config: Blip2Config) {
  return stage2Graph(p, config, input('image_hidden', 'float32', ['patches', 'batch', 4])).loss
}

/** Token ids of each item, padded behind, as (tokens, batch). */
function columns(items: readonly (readonly number[])[], tokens: number, padding: number) {
  const rows = Array.from({ length: tokens }, (_, at) => items.map((item) => item[at] ?? padding))
  return longs([tokens, items.length], rows.flat())
}

const image = normal(30, [2, 2, 4])

/** OPT: what stands before the labels is the prompt. T5: ids are the prompt, labels the answer. */
const batches: Readonly<Record<keyof typeof languageModels, (tokens: number) => Feeds>> = {
  opt: (tokens) => ({
    image_hidden: image,
    input_ids: columns(
      [
        [2, 5, 6, 7],
        [2, 4, 8],
      ],
      tokens,
      1,
    ),
    labels: columns(
      [
        [-100, -100, 6, 7],
        [-100, 4, 8],
      ],
      tokens,
      -100,
    ),
  }),
  t5: (tokens) => ({
    image_hidden: image,
    input_ids: columns(
      [
        [5, 1],
        [4, 6, 1],
      ],
      tokens,
      0,
    ),
    labels: columns(
      [
        [3, 7, 1],
        [8, 1],
      ],
      tokens,
      -100,
    ),
  }),
}

for (const model of ['opt', 't5'] as const) {
  describe(model, () => {
    test('gradients of what trains, through the frozen language model', async () => {
      const weights = fedWeights()
      const loss = build(weights.params, configOf(model))
      const trained = weights.values().filter(({ label }) => trains(label!))
      assert.ok(trained.length < weights.values().length)
      const feeds = { ...weights.feeds(5), ...batches[model](4) }
      await assertGradientsOf(loss, trained, feeds, { tolerance: 2e-3, step: 1 / 128 })
    })

    test('more padding changes nothing', async () => {
      const weights = fedWeights()
      const loss = build(weights.params, configOf(model))
      const [short, long] = [await at(4), await at(6)]
      async function at(tokens: number) {
        return numbers(await compute(loss, { ...weights.feeds(5), ...batches[model](tokens) }))[0]!
      }
      assert.ok(Math.abs(short - long) < 1e-6, `${short} and ${long}`)
    })

    test('one query', async () => {
      const weights = fedWeights()
      const loss = build(weights.params, configOf(model, 1))
      const trained = weights.values().filter(({ label }) => label === 'query_tokens')
      const feeds = { ...weights.feeds(5), ...batches[model](4) }
      await assertGradientsOf(loss, trained, feeds, { tolerance: 2e-3, step: 1 / 128 })
    })

    test('fine-tuning: gradients of the image encoder below, and of the question beside the queries', async () => {
      const weights = fedWeights()
      const config = configOf(model, 2, true)
      const pixels = input('pixel_values', 'float32', ['batch', 3, 2, 2])
      const encoded = imageHidden(weights.params, config.vision_config, pixels)
      const { loss } = stage2Graph(weights.params, config, encoded)
      const some = /patch_embedding|qkv.bias|post_layernorm|^embeddings|layer.0.output.dense.bias/
      const trained = weights
        .values()
        .filter(({ label }) => trains(label!, { imageEncoder: true }) && some.test(label!))
      const feeds = {
        ...weights.feeds(5),
        ...batches[model](4),
        pixel_values: normal(31, [2, 3, 2, 2]),
        question_ids: columns(
          [
            [2, 7, 3],
            [2, 3],
          ],
          3,
          0,
        ),
      }
      await assertGradientsOf(loss, trained, feeds, { tolerance: 2e-3, step: 1 / 128 })
    })
  })
}

test('OPT: a label is predicted by the token before it, that of the first token by the last query', async () => {
  const weights = fedWeights()
  const config = configOf('opt')
  const loss = build(weights.params, config)
  const lossOf = async (ids: number[], labels: number[]) => {
    const twice = (column: number[]) =>
      longs(
        [3, 2],
        column.flatMap((id) => [id, id]),
      )
    const feeds = { image_hidden: image, input_ids: twice(ids), labels: twice(labels) }
    return numbers(await compute(loss, { ...weights.feeds(5), ...feeds }))[0]!
  }
  const [first, second] = [
    [2, -100, -100],
    [-100, 5, -100],
  ]
  assert.equal(await lossOf([2, 5, 6], first!), await lossOf([3, 7, 8], first!)) // the queries have seen no text
  assert.equal(await lossOf([2, 5, 6], second!), await lossOf([2, 7, 8], second!))
  assert.notEqual(await lossOf([2, 5, 6], second!), await lossOf([3, 5, 6], second!))
})

test('the weights of the text half are asked for only with a question, and only those that matter', async () => {
  const asked = (question: boolean) => {
    const weights = fedWeights()
    const loss = build(weights.params, configOf('opt', 2, question))
    return { loss, all: weights.values(), names: weights.values().map(({ label }) => label!) }
  }
  const { loss, all, names } = asked(true)
  const more = names.filter((name) => !asked(false).names.includes(name))
  assert.deepEqual(
    new Set(more.map((name) => name.replace(/\.(weight|bias)$/, ''))),
    new Set([
      ...['embeddings.word_embeddings', 'embeddings.position_embeddings'],
      ...['intermediate.dense', 'output.dense', 'output.LayerNorm'].map((name) => `qformer.encoder.layer.0.${name}`),
    ]),
  )
  // It throws for a weight that the loss does not depend on.
  gradients(
    loss,
    all.filter(({ label }) => trains(label!)),
  )
})

test('a question that is padding alone is no question', async () => {
  const feeds = fedWeights()
  const asked = build(feeds.params, configOf('opt', 2, true))
  const weights = feeds.feeds(5)
  const silent = build(feeds.params, configOf('opt'))
  const lossOf = async (loss: Value, more: Feeds = {}) =>
    numbers(await compute(loss, { ...weights, ...batches.opt(4), ...more }))[0]!
  const [without, empty, real] = [
    await lossOf(silent),
    await lossOf(asked, { question_ids: columns([[], []], 3, 0) }),
    await lossOf(asked, { question_ids: columns([[2, 7, 3], []], 3, 0) }),
  ]
  assert.ok(Math.abs(without - empty) < 1e-6, `${without} and ${empty}`)
  assert.ok(Math.abs(without - real) > 1e-4)
})
