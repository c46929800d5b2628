/** Values and gradients of the whole: test/parity. Here: what the reference's one batch does not show. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { input, labelled, type Value } from '../../src/graph/index.ts'
import { parseConfig, type RetrievalConfig } from '../../src/models/config.ts'
import { gumbelNoise, type Stage1Losses, type Stage1Options, stage1Graph } from '../../src/models/stage1.ts'
import { recorderParams } from '../../src/nn/index.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { evaluate, type Feeds, type Results } from '../support/evaluate.ts'
import { floats, longs, normal, numbers, uniform } from '../support/tensors.ts'
import { type FedWeights, fedWeights } from '../support/weights.ts'

const [CLS, SEP, DEC, PAD] = [2, 3, 8, 0]
const config = parseConfig(
  {
    model_type: 'blip-2',
    vision_config: { hidden_size: 3, num_attention_heads: 1, image_size: 2, patch_size: 2 },
    qformer_config: {
      use_qformer_text_input: true,
      vocab_size: 9,
      hidden_size: 4,
      num_attention_heads: 2,
      num_hidden_layers: 2,
      intermediate_size: 5,
      max_position_embeddings: 6,
    },
    num_query_tokens: 2,
    image_text_hidden_size: 3,
  },
  'tiny',
) as RetrievalConfig

function build(weights: Pick<FedWeights, 'params'>, options: Partial<Stage1Options> = {}): Stage1Losses {
  const image = input('image_hidden', 'float32', ['patches', 'batch', 3])
  return stage1Graph(weights.params, config, image, { decTokenId: DEC, ...options })
}

const texts = [
  [CLS, 4, 5, SEP],
  [CLS, 6, SEP],
  [CLS, 7, 4, SEP],
]

interface Batch {
  readonly texts: readonly (readonly number[])[]
  readonly imageIds?: readonly number[]
  /** Length that the texts are padded to. */
  readonly tokens?: number
  /** For each text the image that becomes its negative, and the other way round. */
  readonly negatives?: { readonly images: readonly number[]; readonly texts: readonly number[] }
}

/** The same image for the same place in the batch. */
function feedsOf({ texts, imageIds, tokens = 4, negatives }: Batch): Feeds {
  const batch = texts.length
  const images = texts.map((_, item) => numbers(normal(40 + item, [2, 3])))
  const forced = (drawn: readonly number[] | undefined) =>
    floats(
      [batch, batch],
      texts.flatMap((_, row) => texts.map((_, column) => (drawn?.[row] === column ? 1000 : 0))),
    )
  return {
    image_hidden: floats(
      [2, batch, 3],
      [0, 1].flatMap((patch) => images.flatMap((image) => image.slice(3 * patch, 3 * patch + 3))),
    ),
    input_ids: longs(
      [tokens, batch],
      Array.from({ length: tokens }, (_, at) => texts.map((text) => text[at] ?? PAD)).flat(),
    ),
    image_ids: longs([batch], imageIds ?? texts.map((_, item) => item)),
    'gumbel.images': forced(negatives?.images),
    'gumbel.texts': forced(negatives?.texts),
  }
}

/** The losses and, by label, the similarity and the logits of ITM. */
async function run(batch: Batch, more: Feeds = {}): Promise<Results> {
  const weights = fedWeights()
  const losses = build(weights)
  const inside = labelled([losses.loss])
  const others = { sim: inside.get('sim_i2t') as Value, itm: inside.get('itm_logits') as Value }
  return evaluate(
    { ...losses, ...others },
    { ...weights.feeds(7), temp: floats([], [0.5]), ...feedsOf(batch), ...more },
  )
}

const one = (results: Results, name: string) => numbers(results[name])[0]!
const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-5, `expected ${expected}, found ${found}`)

/** Mean -ln p of "match" for the first `count` rows of logits. */
function positives(results: Results, count: number): number {
  const logits = numbers(results.itm)
  const losses = Array.from({ length: count }, (_, i) => Math.log(1 + Math.exp(logits[2 * i]! - logits[2 * i + 1]!)))
  return losses.reduce((a, b) => a + b) / count
}

test('gradients of every weight, with one image twice in the batch', async () => {
  const weights = fedWeights()
  const { loss } = build(weights)
  const fed = { texts, imageIds: [5, 9, 5], negatives: { images: [1, 0, 1], texts: [1, 2, 1] } }
  const feeds = { ...weights.feeds(3), temp: floats([], [0.5]), ...feedsOf(fed) }
  await assertGradientsOf(loss, weights.values(), feeds, { tolerance: 2e-3, step: 1 / 128 })
})

describe('negatives', () => {
  test('are those of the largest similarity plus noise, another image and another text', async () => {
    const noise = { 'gumbel.images': normal(21, [3, 3]), 'gumbel.texts': normal(22, [3, 3]) }
    const drawn = await run({ texts }, { ...noise, temp: floats([], [0.05]) })
    const sim = (image: number, text: number) => numbers(drawn.sim)[3 * image + text]!
    const largest = (score: (row: number, column: number) => number) =>
      [0, 1, 2].map((row) =>
        [0, 1, 2].filter((column) => column !== row).reduce((a, b) => (score(row, a) >= score(row, b) ? a : b)),
      )
    const noiseOf = (name: keyof typeof noise, row: number, column: number) => numbers(noise[name])[3 * row + column]!
    const negatives = {
      images: largest((text, image) => sim(image, text) + noiseOf('gumbel.images', text, image)),
      texts: largest((image, text) => sim(image, text) + noiseOf('gumbel.texts', image, text)),
    }
    const mixedUp = {
      images: largest((text, image) => sim(text, image) + noiseOf('gumbel.images', text, image)),
      texts: largest((image, text) => sim(text, image) + noiseOf('gumbel.texts', image, text)),
    }
    for (const drawn of ['images', 'texts'] as const) assert.notDeepEqual(mixedUp[drawn], negatives[drawn])
    const forced = await run({ texts, negatives })
    assert.equal(one(drawn, 'loss_itm'), one(forced, 'loss_itm'))
    const shifted = { images: negatives.images.map((image, text) => 3 - image - text), texts: negatives.texts }
    assert.notEqual(one((await run({ texts, negatives: shifted })) as Results, 'loss_itm'), one(drawn, 'loss_itm'))
  })

  test('of one image are none, however large the noise', async () => {
    const same = { texts, imageIds: [5, 9, 5] }
    const wrong = await run({ ...same, negatives: { images: [2, 0, 0], texts: [2, 0, 0] } })
    const right = await run({ ...same, negatives: { images: [1, 0, 1], texts: [1, 0, 1] } })
    assert.equal(one(wrong, 'loss_itm'), one(right, 'loss_itm'))
  })

  test('Gumbel noise draws with the probabilities of the softmax', () => {
    const random = uniform(1)
    const logits = [0, 1, -1]
    const counts = [0, 0, 0]
    for (let i = 0; i < 20_000; i++) {
      const scores = [...gumbelNoise(3, random)].map((noise, k) => logits[k]! + noise)
      counts[scores.indexOf(Math.max(...scores))]! += 1
    }
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
    counts.forEach((count, k) => {
      assert.ok(Math.abs(count / 20_000 - Math.exp(logits[k]!) / total) < 0.01, `${counts}`)
    })
  })

  test('no gradient reaches what only decides: the temperature and the projections, by ITM alone', () => {
    const { params } = recorderParams()
    const { loss } = build({ params }, { losses: ['itm'] })
    for (const [name, shape] of [
      ['temp', []],
      ['vision_projection.weight', [3, 4]],
    ] as const) {
      assert.throws(() => gradients(loss, [params.get(name, shape)]), /does not depend on/)
    }
  })
})

describe('a pair without any negative in the batch', () => {
  test('a batch of one: nothing to contrast, matched as a positive only', async () => {
    const results = await run({ texts: texts.slice(0, 1) })
    near(one(results, 'loss_itc'), 0)
    near(one(results, 'loss_itm'), positives(results, 1))
    assert.ok(one(results, 'loss_itg') > 0)
  })

  test('all pairs of one image', async () => {
    const results = await run({ texts, imageIds: [4, 4, 4] })
    near(one(results, 'loss_itm'), positives(results, 3))
  })
})

test('ITC by hand: even targets over the pairs of an image, 0.1 of them over all', async () => {
  const results = await run({ texts, imageIds: [5, 9, 5] })
  const sim = numbers(results.sim)
  const targets = [
    [0.45, 0, 0.45],
    [0, 0.9, 0],
    [0.45, 0, 0.45],
  ].map((row) => row.map((share) => share + 0.1 / 3))
  const towards = (score: (row: number, column: number) => number) =>
    targets
      .map((row, i) => {
        const normaliser = Math.log(row.reduce((sum, _, k) => sum + Math.exp(score(i, k)), 0))
        return row.reduce((sum, share, k) => sum + share * (normaliser - score(i, k)), 0)
      })
      .reduce((a, b) => a + b) / 3
  const expected = (towards((i, k) => sim[3 * i + k]!) + towards((i, k) => sim[3 * k + i]!)) / 2
  near(one(results, 'loss_itc'), expected)
})

test('more padding changes no loss', async () => {
  const negatives = { images: [1, 2, 0], texts: [2, 0, 1] }
  const [short, long] = [await run({ texts, negatives }), await run({ texts, negatives, tokens: 6 })]
  for (const name of ['loss_itc', 'loss_itm', 'loss_itg']) near(one(long, name), one(short, name))
})

describe('some of the losses', () => {
  test('each alone is what it is in the sum', async () => {
    const all = await run({ texts, negatives: { images: [1, 2, 0], texts: [2, 0, 1] } })
    near(one(all, 'loss'), one(all, 'loss_itc') + one(all, 'loss_itm') + one(all, 'loss_itg'))
    const feeds = feedsOf({ texts, negatives: { images: [1, 2, 0], texts: [2, 0, 1] } })
    for (const name of ['itc', 'itm', 'itg'] as const) {
      const weights = fedWeights()
      build(weights) // the same random weights
      const { loss, ...parts } = build(weights, { losses: [name] })
      assert.deepEqual(Object.keys(parts), [`loss_${name}`])
      const found = await evaluate({ loss }, { ...weights.feeds(7), temp: floats([], [0.5]), ...feeds })
      near(one(found, 'loss'), one(all, `loss_${name}`))
    }
  })

  test('without ITG no captioning head is asked for', () => {
    const { params, shapes } = recorderParams()
    build({ params }, { losses: ['itc', 'itm'] })
    assert.ok([...shapes.keys()].every((name) => !name.startsWith('Qformer.cls')))
  })

  test('none', () => {
    assert.throws(() => build(recorderParams(), { losses: [] }), /losses: expected itc, itm, itg/)
  })
})
