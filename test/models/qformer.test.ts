/** Values: test/parity. Here: weights and gradients. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { input, type Value } from '../../src/graph/index.ts'
import type { QFormerConfig } from '../../src/models/config.ts'
import { qformer } from '../../src/models/qformer.ts'
import { type Params, recorderParams } from '../../src/nn/index.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { referenceDir } from '../support/paths.ts'
import { referenceConfig } from '../support/reference.ts'
import { normal } from '../support/tensors.ts'
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
