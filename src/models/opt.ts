/**
 * OPT (Zhang et al. 2022): a decoder-only transformer, pre-norm, with learned positions and a head tied to the token table.
 * Reference: OPTForCausalLM, transformers 4.27.1.
 */
import { int64s, label, layer, type Value } from '../graph/index.ts'
import { affine, attention, embedding, type KeyValueCache, layerNorm, linear, type Params } from '../nn/index.ts'
import { add, gather, relu, slice } from '../ops/index.ts'
import type { OptConfig } from './config.ts'

/** The rows of the position table that OPT leaves unused before the first one. */
const POSITION_OFFSET = 2

export interface DecoderInputs {
  /** (tokens, batch, hidden_size): embedded tokens, without positions. */
  readonly embeds: Value
  /** (tokens, batch) int64: number of unmasked tokens before each token of its sequence; -1 for padding. */
  readonly positions: Value
  /** (batch, 1, tokens, past + tokens), added to the attention scores: 0 where a token may look, -∞ elsewhere. */
  readonly mask: Value
  /** Rows before this one are there to be seen by later ones only: the last layer does not go on with them. 0 unless given. */
  readonly readFrom?: number
}

/** Hidden states (tokens - readFrom, batch, hidden_size) after the final layer norm. */
export function optDecoder(p: Params, config: OptConfig, inputs: DecoderInputs, cache: KeyValueCache): Value {
  const decoder = p.at('model.decoder')
  let x = add(inputs.embeds, positionEmbedding(decoder.at('embed_positions'), config, inputs.positions))
  x = label(x, decoder.at('embeddings').path)
  const { mask, readFrom = 0 } = inputs
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const from = i === config.num_hidden_layers - 1 ? readFrom : 0
    x = layer(() => optLayer(decoder.at('layers').at(i), config, x, { mask, from }, cache))
  }
  return layerNorm(decoder.at('final_layer_norm'), x, LAYER_NORM_EPS)
}

/** torch's default, which OPT does not override. */
const LAYER_NORM_EPS = 1e-5

/** ids (tokens, batch) int64 → (tokens, batch, hidden_size). */
export function optEmbedding(p: Params, config: OptConfig, ids: Value): Value {
  return embedding(p.at('model.decoder.embed_tokens'), ids, config.vocab_size, config.hidden_size)
}

/** Logits over the vocabulary; the head is the token table. x (…, hidden_size) → (…, vocab_size). */
export function optHead(p: Params, config: OptConfig, x: Value): Value {
  const table = p.at('model.decoder.embed_tokens').get('weight', [config.vocab_size, config.hidden_size])
  return label(affine(x, table, undefined), p.at('lm_head').path)
}

function positionEmbedding(p: Params, config: OptConfig, positions: Value): Value {
  const table = p.get('weight', [config.max_position_embeddings + POSITION_OFFSET, config.hidden_size])
  return gather(table, add(positions, int64s([POSITION_OFFSET], [])))
}

/** What the rows of a layer see, and from which one on it goes on with them. */
interface Rows {
  readonly mask: Value
  readonly from: number
}

function optLayer(p: Params, config: OptConfig, x: Value, rows: Rows, cache: KeyValueCache): Value {
  const normed = layerNorm(p.at('self_attn_layer_norm'), x, LAYER_NORM_EPS)
  const attended = add(slice(x, 0, rows.from), selfAttention(p.at('self_attn'), config, normed, rows, cache))
  const widened = relu(
    linear(p.at('fc1'), layerNorm(p.at('final_layer_norm'), attended, LAYER_NORM_EPS), config.ffn_dim),
  )
  return p.label(add(attended, linear(p.at('fc2'), widened, config.hidden_size)))
}

function selfAttention(p: Params, config: OptConfig, x: Value, { mask, from }: Rows, cache: KeyValueCache): Value {
  const size = config.hidden_size
  const q = linear(p.at('q_proj'), slice(x, 0, from), size)
  const k = cache.extend(`${p.path}.key`, linear(p.at('k_proj'), x, size))
  const v = cache.extend(`${p.path}.value`, linear(p.at('v_proj'), x, size))
  return linear(
    p.at('out_proj'),
    attention(q, k, v, { heads: config.num_attention_heads, bias: slice(mask, -2, from) }),
    size,
  )
}
