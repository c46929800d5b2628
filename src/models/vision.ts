/**
 * EVA-CLIP ViT-g/14, the image encoder of BLIP-2 (Fang et al. 2022; BLIP-2 paper, section 3.1: the last of its 40 blocks is
 * removed, so 39 remain). Reference: Blip2VisionModel, transformers 4.27.1; names as in the Hugging Face checkpoints.
 */
import { layer, type Value } from '../graph/index.ts'
import { affine, attention, layerNorm, linear, type Params } from '../nn/index.ts'
import { add, concat, gelu, repeatAxis, reshape, split, transpose } from '../ops/index.ts'
import type { VisionConfig } from './config.ts'
import { cutPatches } from './patches.ts'

/** Normalised pixels (batch, 3, image_size, image_size) → (1 + patches, batch, hidden_size), without a final norm. */
export function visionEncoder(p: Params, config: VisionConfig, pixelValues: Value): Value {
  let x = visionEmbeddings(p.at('embeddings'), config, pixelValues)
  for (let i = 0; i < config.num_hidden_layers; i++)
    x = layer(() => visionLayer(p.at('encoder.layers').at(i), config, x))
  return x
}

/** Class token, then patches from left to right and top to bottom, each with its learned position. */
function visionEmbeddings(p: Params, config: VisionConfig, pixelValues: Value): Value {
  const { hidden_size, image_size, patch_size, num_channels } = config
  const patches = cutPatches(config, pixelValues)
  const kernel = p.get('patch_embedding.weight', [hidden_size, num_channels, patch_size, patch_size])
  const bias = p.get('patch_embedding.bias', [hidden_size])
  const embedded = p.label(affine(patches, reshape(kernel, [hidden_size, -1]), bias), 'patch_embedding')

  const classToken = repeatAxis(p.get('class_embedding', [1, 1, hidden_size]), 1, embedded, 1)
  const positions = p.get('position_embedding', [1, 1 + (image_size / patch_size) ** 2, hidden_size])
  return p.label(add(concat([classToken, embedded], 0), transpose(positions, [1, 0, 2])))
}

/** Pre-norm transformer block. x (tokens, batch, hidden_size) → same shape. */
function visionLayer(p: Params, config: VisionConfig, x: Value): Value {
  const eps = config.layer_norm_eps
  const attended = add(x, selfAttention(p.at('self_attn'), config, layerNorm(p.at('layer_norm1'), x, eps)))
  return p.label(add(attended, mlp(p.at('mlp'), config, layerNorm(p.at('layer_norm2'), attended, eps))))
}

function selfAttention(p: Params, config: VisionConfig, x: Value): Value {
  const size = config.hidden_size
  const qkv = linear(p.at('qkv'), x, 3 * size, { bias: config.qkv_bias })
  const [q, k, v] = split(qkv, [size, size, size], 2) as [Value, Value, Value]
  return linear(p.at('projection'), attention(q, k, v, { heads: config.num_attention_heads }), size)
}

function mlp(p: Params, config: VisionConfig, x: Value): Value {
  return linear(p.at('fc2'), gelu(linear(p.at('fc1'), x, config.intermediate_size)), config.hidden_size)
}
