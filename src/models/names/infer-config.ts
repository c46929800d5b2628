/**
 * The configuration of a checkpoint that comes without one, as LAVIS's and mmpretrain's do: from the shapes of its tensors, in the form
 * of a Hugging Face config.json. What shapes do not tell are head counts, epsilons and the end of a sequence.
 *
 * Sources: LAVIS 506965b (blip2.py, eva_vit.py, clip_vit.py, blip2_opt.py: eps 1e-6 in EVA's blocks, 1e-5 in CLIP's and in ln_vision,
 * 1e-12 in the Q-Former, "\n" as OPT's end of sequence; blip2_t5.py: `dense_act_fn = "gelu"`).
 */
import { ConfigError } from '../../errors.ts'
import type { Origin } from './names.ts'
import { layerOf } from './rows.ts'

/** Canonical name → shape. */
export type Shapes = ReadonlyMap<string, readonly number[]>

/** The shapes of stored tensors under their canonical names. Joined ones are left out; nothing is told by them. */
export function shapesOf(
  stored: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  tensors: ReadonlyMap<string, Origin>,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  for (const [name, origin] of tensors)
    if (origin.kind === 'stored') shapes.set(name, stored.get(origin.name)?.shape ?? [])
  return shapes
}

export interface KnownConfig {
  /** Attention heads of the image encoder, where it comes from a checkpoint that states them. */
  readonly visionHeads?: number | undefined
  /** The language model's own config.json, or the text_config of a BLIP-2 one. */
  readonly textConfig?: Readonly<Record<string, unknown>> | undefined
}

interface Encoder {
  readonly model_type: 'blip_2_vision_model' | 'clip_vision_model'
  readonly hidden_act: 'gelu' | 'quick_gelu'
  readonly layer_norm_eps: number
  readonly heads: Readonly<Record<number, number>>
  /** Names of the positions, the patches' kernel and a first feed-forward matrix. */
  readonly positions: string
  readonly patches: string
  readonly widened: string
  readonly blocks: string
}

/** Both have `usedBlocks` in BLIP-2. */
const encoders: readonly Encoder[] = [
  {
    model_type: 'blip_2_vision_model',
    hidden_act: 'gelu',
    layer_norm_eps: 1e-6,
    heads: { 1408: 16 },
    positions: 'vision_model.embeddings.position_embedding',
    patches: 'vision_model.embeddings.patch_embedding.weight',
    widened: 'vision_model.encoder.layers.0.mlp.fc1.weight',
    blocks: 'vision_model.encoder.layers.',
  },
  {
    model_type: 'clip_vision_model',
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
    heads: { 1024: 16 },
    positions: 'visual_encoder.positional_embedding',
    patches: 'visual_encoder.conv1.weight',
    widened: 'visual_encoder.transformer.resblocks.0.mlp.c_fc.weight',
    blocks: 'visual_encoder.transformer.resblocks.',
  },
]

/**
 * Width of a published encoder → its blocks that BLIP-2 runs: all but the last (paper, section 3.1). Some files have the last one too
 * (mmpretrain counts it, LAVIS's eva_vit_g.pth has it).
 */
export const usedBlocks: Readonly<Record<number, number>> = { 1408: 39, 1024: 23 }

const qformerHeads = { 768: 12 }
const optHeads = { 2560: 32, 4096: 32 }

/** "\n" in the vocabulary of OPT, which has 50,265 tokens; its models have up to 50,304 rows for them. */
const optNewline = 50118

/** Plain JSON for `parseConfig`. Throws ConfigError (`where` begins it) for what shapes do not tell and nothing states. */
export function inferConfig(shapes: Shapes, known: KnownConfig, where: string): Record<string, unknown> {
  const reader = shapeReader(shapes, where)
  const base = {
    model_type: 'blip-2',
    vision_config: visionConfig(reader, known),
    num_query_tokens: reader.size('query_tokens', 1),
  }
  const qformer = qformerConfig(reader)
  if (!shapes.has('itm_head.weight') || shapes.has('language_projection.weight'))
    return { ...base, qformer_config: qformer, text_config: textConfig(reader, known) }
  return {
    ...base,
    qformer_config: {
      ...qformer,
      use_qformer_text_input: true,
      vocab_size: reader.size('embeddings.word_embeddings.weight', 0),
      max_position_embeddings: reader.size('embeddings.position_embeddings.weight', 0),
    },
    image_text_hidden_size: reader.size('vision_projection.weight', 0),
  }
}

function visionConfig(reader: ShapeReader, known: KnownConfig): Record<string, unknown> {
  const encoder = encoders.find(({ patches }) => reader.has(patches)) ?? (encoders[0] as Encoder)
  const { model_type, hidden_act, layer_norm_eps } = encoder
  const hidden_size = reader.size(encoder.patches, 0)
  const patch_size = reader.size(encoder.patches, 2)
  const side = Math.sqrt(reader.size(encoder.positions, -2) - 1)
  return {
    model_type,
    hidden_size,
    intermediate_size: reader.size(encoder.widened, 0),
    num_hidden_layers: Math.min(reader.layers(encoder.blocks), usedBlocks[hidden_size] ?? Number.POSITIVE_INFINITY),
    num_attention_heads: known.visionHeads ?? reader.heads('vision_config', encoder.heads, hidden_size),
    image_size: side * patch_size,
    patch_size,
    hidden_act,
    layer_norm_eps,
    post_layernorm_eps: 1e-5,
  }
}

function qformerConfig(reader: ShapeReader): Record<string, unknown> {
  const hidden_size = reader.size('query_tokens', 2)
  const layers = reader.layers('qformer.encoder.layer.')
  const crossing = (i: number) => reader.has(`qformer.encoder.layer.${i}.crossattention.attention.key.weight`)
  const second = Array.from({ length: layers }, (_, i) => i).find((i) => i > 0 && crossing(i))
  return {
    hidden_size,
    num_hidden_layers: layers,
    num_attention_heads: reader.heads('qformer_config', qformerHeads, hidden_size),
    intermediate_size: reader.size('qformer.encoder.layer.0.intermediate_query.dense.weight', 0),
    cross_attention_frequency: second ?? layers,
    encoder_hidden_size: reader.size('qformer.encoder.layer.0.crossattention.attention.key.weight', 1),
    layer_norm_eps: 1e-12,
  }
}

function textConfig(reader: ShapeReader, { textConfig }: KnownConfig): Record<string, unknown> {
  const opt = 'language_model.model.decoder.'
  if (textConfig ? textConfig.model_type !== 't5' : reader.has(`${opt}embed_positions.weight`)) {
    const config = textConfig ?? optConfig(reader, opt)
    const vocabulary = Number(config.vocab_size ?? 50272)
    return vocabulary >= 50265 && vocabulary <= 50304 ? { ...config, eos_token_id: optNewline } : config
  }
  return { ...(textConfig ?? t5Config(reader)), dense_act_fn: 'gelu' }
}

function optConfig(reader: ShapeReader, decoder: string): Record<string, unknown> {
  const hidden_size = reader.size(`${decoder}embed_positions.weight`, 1)
  const table = [`${decoder}embed_tokens.weight`, 'language_model.lm_head.weight'].find((name) => reader.has(name))
  return {
    model_type: 'opt',
    vocab_size: reader.size(table ?? `${decoder}embed_tokens.weight`, 0),
    hidden_size,
    word_embed_proj_dim: hidden_size,
    num_hidden_layers: reader.layers(`${decoder}layers.`),
    ffn_dim: reader.size(`${decoder}layers.0.fc1.weight`, 0),
    num_attention_heads: reader.heads('text_config', optHeads, hidden_size),
    // Two rows come before the first position.
    max_position_embeddings: reader.size(`${decoder}embed_positions.weight`, 0) - 2,
  }
}

function t5Config(reader: ShapeReader): Record<string, unknown> {
  const attention = 'language_model.encoder.block.0.layer.0.SelfAttention.'
  const [buckets, heads] = [0, 1].map((axis) => reader.size(`${attention}relative_attention_bias.weight`, axis))
  return {
    model_type: 't5',
    vocab_size: reader.size('language_model.lm_head.weight', 0),
    d_model: reader.size('language_model.lm_head.weight', 1),
    d_kv: reader.size(`${attention}q.weight`, 0) / (heads as number),
    d_ff: reader.size('language_model.encoder.block.0.layer.1.DenseReluDense.wi_0.weight', 0),
    num_layers: reader.layers('language_model.encoder.block.'),
    num_decoder_layers: reader.layers('language_model.decoder.block.'),
    num_heads: heads,
    relative_attention_num_buckets: buckets,
    feed_forward_proj: 'gated-gelu',
    tie_word_embeddings: false,
    bos_token_id: 1,
  }
}

interface ShapeReader {
  has(name: string): boolean
  /** Size of an axis; negative axes count from the end. */
  size(name: string, axis: number): number
  /** Layers below a prefix that ends before their number. */
  layers(prefix: string): number
  heads(config: string, published: Readonly<Record<number, number>>, width: number): number
}

function shapeReader(shapes: Shapes, where: string): ShapeReader {
  return {
    has: (name) => shapes.has(name),
    size(name, axis) {
      const size = shapes.get(name)?.at(axis)
      if (size === undefined)
        throw new ConfigError(
          `${where}: no config.json beside it, and ${name} is missing or has too few axes to tell the sizes`,
        )
      return size
    },
    layers(prefix) {
      const numbers = Array.from(shapes.keys(), (name) => (name.startsWith(prefix) ? Number(layerOf(name)) : -1))
      return 1 + numbers.reduce((most, number) => Math.max(most, number), -1)
    },
    heads(config, published, width) {
      const heads = published[width]
      if (heads === undefined)
        throw new ConfigError(
          `${where}: ${config}.num_attention_heads: tensors ${width} wide do not tell it, and no published model has them ` +
            `(${Object.keys(published).join(', ')}); put a config.json beside the file, in the Hugging Face form`,
        )
      return heads
    },
  }
}
