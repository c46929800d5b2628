/** Values: test/parity. Here: weights, gradients, and what a batch may not change. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { input } from '../../src/graph/index.ts'
import type { VisionConfig } from '../../src/models/config.ts'
import { imageEncoder } from '../../src/models/image-encoder.ts'
import { visionEncoder } from '../../src/models/vision.ts'
import { recorderParams } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { assertGradientsOf } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { referenceDir } from '../support/paths.ts'
import { openReference, referenceConfig } from '../support/reference.ts'
import { floats, normal, numbers } from '../support/tensors.ts'
import { fedWeights } from '../support/weights.ts'

const reference = (await referenceConfig(join(referenceDir, 'hf-blip2-opt'))).vision_config
const tiny: VisionConfig = {
  ...reference,
  image_size: 4,
  patch_size: 2,
  hidden_size: 6,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  intermediate_size: 5,
}
const pixels = input('pixel_values', 'float32', ['batch', 3, tiny.image_size, tiny.image_size])

test('asks for the weights of the published file, no more and no fewer', async () => {
  const { facts, folder } = await openReference(join(referenceDir, 'vision'))
  const config: VisionConfig = { ...reference, ...(facts.vision as Partial<VisionConfig>) }
  const { params, shapes, total } = recorderParams()
  imageEncoder(params, config, input('x', 'float32', ['batch', 3, config.image_size, config.image_size]))
  const { tensors } = await openCheckpoint(join(folder, 'eva.hf.safetensors'))
  const stored = [...tensors.values()].map(({ name, shape }) => [name, shape] as const)
  assert.deepEqual(new Map([...shapes].sort()), new Map(stored.sort()))
  assert.equal(
    total(),
    stored.reduce((sum, [, shape]) => sum + shape.reduce((n, size) => n * size, 1), 0),
  )
})

test('a qkv projection without bias asks for none', () => {
  const { params, shapes } = recorderParams()
  imageEncoder(params, { ...tiny, qkv_bias: false }, pixels)
  assert.ok(![...shapes.keys()].some((name) => name.includes('qkv.bias')))
})

test('gradients of embeddings and one block', async () => {
  const weights = fedWeights()
  const y = visionEncoder(weights.params, tiny, pixels)
  const feeds = { ...weights.feeds(100), pixel_values: normal(1, [1, 3, 4, 4]) }
  await assertGradientsOf(y, [...weights.values(), pixels], feeds, { tolerance: 1e-3 })
})

describe('batches', () => {
  test('each image has the result that it has alone', async () => {
    const weights = fedWeights()
    const y = imageEncoder(weights.params, { ...tiny, num_hidden_layers: 2 }, pixels)
    const feeds = weights.feeds(200)
    const images = normal(2, [2, 3, 4, 4])
    const both = await compute(y, { ...feeds, pixel_values: images })
    assert.deepEqual(both.shape, [5, 2, 6]) // tokens, batch, hidden_size
    for (const item of [0, 1]) {
      const image = floats([1, 3, 4, 4], numbers(images).slice(48 * item, 48 * (item + 1)))
      const rows = numbers(both).filter((_, i) => Math.floor(i / 6) % 2 === item)
      assertTensor(await compute(y, { ...feeds, pixel_values: image }), floats([5, 1, 6], rows), 1e-6)
    }
  })

  test('patches come from left to right and top to bottom, behind the class token', async () => {
    const weights = fedWeights()
    const y = visionEncoder(weights.params, { ...tiny, num_hidden_layers: 0 }, pixels)
    const feeds = weights.feeds(300)
    const image = new Float32Array(48)
    const black = numbers(await compute(y, { ...feeds, pixel_values: floats([1, 3, 4, 4], image) }))
    image[1 * 4 + 2] = 1 // red, row 1, column 2: the upper right patch, the second of four
    const dot = numbers(await compute(y, { ...feeds, pixel_values: floats([1, 3, 4, 4], image) }))
    const changed = [0, 1, 2, 3, 4].filter((token) =>
      [0, 1, 2, 3, 4, 5].some((i) => dot[token * 6 + i] !== black[token * 6 + i]),
    )
    assert.deepEqual(changed, [2])
  })
})
