/** Values: test/parity. Here: the ways to compute the same, and the published number of parameters. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Value } from '../../src/graph/index.ts'
import { parseConfig, type RetrievalConfig } from '../../src/models/config.ts'
import { findPreset } from '../../src/models/presets.ts'
import {
  canCaption,
  captionPromptGraph,
  captionStepGraph,
  imageFeaturesGraph,
  matchGraph,
  similarityGraph,
  temperature,
  textFeaturesGraph,
} from '../../src/models/retrieval.ts'
import { recorderParams } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { evaluate, type Feeds } from '../support/evaluate.ts'
import { floats, longs, normal, numbers, type Tensor } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const config = parseConfig(
  {
    model_type: 'blip-2',
    vision_config: {
      hidden_size: 4,
      intermediate_size: 5,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      image_size: 4,
      patch_size: 2,
    },
    qformer_config: {
      vocab_size: 9,
      hidden_size: 6,
      intermediate_size: 7,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      max_position_embeddings: 8,
      use_qformer_text_input: true,
    },
    num_query_tokens: 3,
    image_text_hidden_size: 5,
  },
  'tiny',
) as RetrievalConfig

const [patches, queries, tokens] = [5, 3, 4]
const hidden = Number.NEGATIVE_INFINITY

/** Two texts, of which the second is one token shorter. */
const ids = longs([tokens, 2], [1, 1, 5, 7, 6, 2, 2, 0])
const positions = longs([tokens, 1], [0, 1, 2, 3])
const maskBehind = (rows: number) => {
  const seen = Array<number>(rows + tokens).fill(0)
  return floats([2, 1, 1, rows + tokens], [...seen, ...seen.slice(1), hidden])
}

async function run(graph: Readonly<Record<string, Value>>, weights: Feeds, feeds: Feeds) {
  return evaluate(graph, { ...weights, ...feeds })
}

test('a published model has the published number of parameters', () => {
  const preset = findPreset('blip2_3rdparty_retrieval')!
  const published = preset.config as RetrievalConfig
  const { params, total } = recorderParams()
  imageFeaturesGraph(params, published)
  textFeaturesGraph(params, published)
  matchGraph(params, published, 1)
  captionPromptGraph(params, published)
  captionStepGraph(params, published)
  temperature(params)
  // Hugging Face's encoder has biases of the attention's keys, which are zero: one for each of 1,408 numbers in 39 blocks.
  assert.equal(total() - 39 * 1408, preset.publishedParameters)
})

test('texts with one image have the logits of texts that each have that image', async () => {
  const recording = fedWeights()
  const one = matchGraph(recording.params, config, 1)
  const each = matchGraph(recording.params, config, 'batch')
  const weights = recording.feeds(1)
  const image = normal(2, [patches, 1, 4])
  const twice = floats(
    [patches, 2, 4],
    numbers(image).flatMap((_, i, all) => (i % 4 === 0 ? [...all.slice(i, i + 4), ...all.slice(i, i + 4)] : [])),
  )
  const text = { input_ids: ids, positions, mask: maskBehind(queries) }
  const found = await run(one, weights, { ...text, image_embeds: image })
  const expected = await run(each, weights, { ...text, image_embeds: twice })
  for (const name of ['itm_logits', 'multimodal_embeds']) assertTensor(found[name], expected[name]!, 1e-5, name)
  const [first, second] = [numbers(found.itm_logits).slice(0, 2), numbers(found.itm_logits).slice(2)]
  assert.notDeepEqual(first, second)
})

test('padding changes nothing, and the first token of a text is what is compared', async () => {
  const recording = fedWeights()
  const graph = textFeaturesGraph(recording.params, config)
  const weights = recording.feeds(3)
  const padded = await run(graph, weights, { input_ids: ids, positions, mask: maskBehind(0) })
  const alone = await run(graph, weights, {
    input_ids: longs([3, 1], [1, 7, 2]),
    positions: longs([3, 1], [0, 1, 2]),
    mask: floats([1, 1, 1, 3], [0, 0, 0]),
  })
  const second = numbers(padded.text_feat).slice(5)
  assertTensor(floats([1, 5], second), alone.text_feat!, 1e-6, 'text_feat')
  assert.deepEqual(numbers(padded.text_feats).slice(0, 10), numbers(padded.text_feat))
  for (let row = 0; row < 2 * tokens; row++) {
    const features = numbers(padded.text_feats).slice(row * 5, (row + 1) * 5)
    assert.ok(Math.abs(Math.hypot(...features) - 1) < 1e-6)
  }
})

test('the similarity is that of the best query', async () => {
  const image = floats([1, queries, 5], [1, 0, 0, 0, 0, 0, 0.6, 0.8, 0, 0, 0, 0, 0, 0, 1])
  const text = floats([2, 5], [0, 1, 0, 0, 0, -1, 0, 0, 0, 0])
  const { itc } = await evaluate(similarityGraph(config), { image_feats: image, text_feat: text })
  assertTensor(itc, floats([1, 2], [0.6, 0]), 1e-6) // by hand: queries (1, 0, …), (0, .6, .8, …), (…, 1)
})

test('a caption read token by token has the logits of one that is read as a whole', async () => {
  const recording = fedWeights()
  const prompt = captionPromptGraph(recording.params, config)
  const step = captionStepGraph(recording.params, config)
  const weights = recording.feeds(4)
  const cached = await run(prompt, weights, { image_embeds: normal(5, [patches, 1, 4]) })
  const caption = [8, 5, 6, 7]

  /** Reads tokens from position `from` on behind the rows of `past`. */
  async function read(some: readonly number[], from: number, past: Feeds) {
    const mask = some.flatMap((_, row) =>
      Array.from({ length: queries + from + some.length }, (_, key) => (key <= queries + from + row ? 0 : hidden)),
    )
    return run(step, weights, {
      ...past,
      input_ids: longs([some.length, 1], some),
      positions: longs(
        [some.length, 1],
        some.map((_, i) => from + i),
      ),
      mask: floats([1, 1, some.length, queries + from + some.length], mask),
      read: longs(
        [some.length],
        some.map((_, i) => i),
      ),
    })
  }

  let past = Object.fromEntries(Object.entries(cached).map(([name, rows]) => [name.replace('present', 'past'), rows]))
  const { logits: whole } = await read(caption, 0, past)
  const stepwise: number[] = []
  for (const [i, token] of caption.entries()) {
    const { logits, ...present } = await read([token], i, past)
    stepwise.push(...numbers(logits))
    past = Object.fromEntries(
      Object.entries(past).map(([name, rows]) => [name, below(rows, present[name.replace('past', 'present')]!)]),
    )
  }
  assertTensor(floats([4, 1, 9], stepwise), whole!, 1e-5, 'logits')
})

/** One tensor below the other. */
function below(a: Tensor, b: Tensor): Tensor {
  return floats([a.shape[0]! + b.shape[0]!, ...a.shape.slice(1)], [...numbers(a), ...numbers(b)])
}

test('only files with the captioning head can caption', () => {
  const name = 'Qformer.cls.predictions.transform.dense.weight'
  assert.equal(canCaption(new Set([name])), true)
  assert.equal(canCaption(new Set(['itm_head.weight'])), false)
})
