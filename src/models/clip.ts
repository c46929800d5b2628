/**
 * CLIP ViT-L/14, the smaller image encoder of BLIP-2 (Radford et al. 2021; BLIP-2 paper, section 3.1: the last of its 24 blocks is
 * removed). Reference: lavis/models/clip_vit.py, LAVIS 506965b; names as in its checkpoints (Hugging Face has none of these).
 */
import { layer, type Value } from '../graph/index.ts'
import { affine, attention, layerNorm, linear, type Params } from '../nn/index.ts'
import { add, concat, quickGelu, repeatAxis, reshape, split } from '../ops/index.ts'
import type { VisionConfig } from './config.ts'
import { cutPatches } from './patches.ts'

/** Normalised pixels (batch, 3, image_size, image_size) → (1 + patches, batch, hidden_size), without a final norm. */
export function clipEncoder(p: Params, config: VisionConfig, pixelValues: Value): Value {
  let x = layerNorm(p.at('ln_pre'), clipEmbeddings(p, config, pixelValues), config.layer_norm_eps)
  for (let i = 0; i < config.num_hidden_layers; i++) {
    x = layer(() => residualBlock(p.at('transformer.resblocks').at(i), config, x))
  }
  return x
}

/** Class token, then patches, each with its learned position. The convolution has no bias. */
function clipEmbeddings(p: Params, config: VisionConfig, pixelValues: Value): Value {
  const { hidden_size, image_size, patch_size, num_channels } = config
  const kernel = p.get('conv1.weight', [hidden_size, num_channels, patch_size, patch_size])
  const embedded = affine(cutPatches(config, pixelValues), reshape(kernel, [hidden_size, -1]), undefined)
  const classToken = reshape(p.get('class_embedding', [hidden_size]), [1, 1, hidden_size])
  const positions = p.get('positional_embedding', [1 + (image_size / patch_size) ** 2, hidden_size])
  const tokens = concat([repeatAxis(classToken, 1, embedded, 1), embedded], 0)
  return p.label(add(tokens, reshape(positions, [-1, 1, hidden_size])), 'embeddings')
}

/** Pre-norm transformer block. x (tokens, batch, hidden_size) → same shape. */
function residualBlock(p: Params, config: VisionConfig, x: Value): Value {
  const eps = config.layer_norm_eps
  const attended = add(x, selfAttention(p.at('attn'), config, layerNorm(p.at('ln_1'), x, eps)))
  return p.label(add(attended, mlp(p.at('mlp'), config, layerNorm(p.at('ln_2'), attended, eps))))
}

/** torch.nn.MultiheadAttention: queries, keys and values in one matrix. */
function selfAttention(p: Params, config: VisionConfig, x: Value): Value {
  const size = config.hidden_size
  const qkv = affine(x, p.get('in_proj_weight', [3 * size, size]), p.get('in_proj_bias', [3 * size]))
  const [q, k, v] = split(qkv, [size, size, size], 2) as [Value, Value, Value]
  return linear(p.at('out_proj'), attention(q, k, v, { heads: config.num_attention_heads }), size)
}

function mlp(p: Params, config: VisionConfig, x: Value): Value {
  return linear(p.at('c_proj'), quickGelu(linear(p.at('c_fc'), x, config.intermediate_size)), config.hidden_size)
}
