import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decays, layerRateFactor } from '../../src/optim/groups.ts'

test('everything decays but biases and what has one axis', () => {
  const cases: [string, number[], boolean][] = [
    ['query_tokens', [1, 32, 768], true],
    ['temp', [], true],
    ['qformer.encoder.layer.0.attention.attention.query.weight', [768, 768], true],
    ['qformer.encoder.layer.0.attention.attention.query.bias', [768], false],
    ['qformer.layernorm.weight', [768], false],
    ['odd.bias', [2, 2], false],
  ]
  for (const [name, shape, expected] of cases) assert.equal(decays(name, shape), expected, name)
})

test('layer-wise rates: 1 outside the image encoder, less from its last block down to the embeddings', () => {
  const factor = (name: string) => layerRateFactor(name, { decay: 0.5, layers: 3 })
  // lr_scales[i] = 0.5 ** (3 + 1 - i): embeddings i = 0, block k i = k + 1 (Blip2Base.get_optimizer_params, LAVIS 506965b)
  const expected = {
    query_tokens: 1,
    'qformer.encoder.layer.0.attention.attention.query.weight': 1,
    'vision_model.post_layernorm.weight': 1,
    'vision_model.embeddings.position_embedding': 0.0625,
    'vision_model.embeddings.patch_embedding.weight': 0.0625,
    'vision_model.encoder.layers.0.mlp.fc1.weight': 0.125,
    'vision_model.encoder.layers.2.mlp.fc1.weight': 0.5,
    'visual_encoder.ln_pre.weight': 0.0625,
    'visual_encoder.positional_embedding': 0.0625,
    'visual_encoder.transformer.resblocks.1.ln_1.bias': 0.25,
  }
  for (const [name, value] of Object.entries(expected)) assert.equal(factor(name), value, name)
})
