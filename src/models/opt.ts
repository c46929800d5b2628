/**
 * OPT (Zhang et al. 2022): a decoder-only transformer, pre-norm, with learned positions and a head tied to the token table.
 * Reference: OPTForCausalLM, transformers 4.27.1.
 */
import { type Dim, int64s, label, layer, type Value } from '../graph/index.ts'
import {
  affine,
  allTokens,
  attention,
  countsAsLabel,
  crossEntropy,
  embedding,
  type KeyValueCache,
  layerNorm,
  linear,
  type Params,
  sharedCache,
  someTokens,
  type TokenRows,
  untilLast,
} from '../nn/index.ts'
import { add, gather, indicesAlong, relu, reshape } from '../ops/index.ts'
import type { OptConfig } from './config.ts'
import { causalMask } from './masks.ts'

/** The rows of the position table that OPT leaves unused before the first one. */
const POSITION_OFFSET = 2

export interface DecoderInputs {
  /** (tokens, batch, hidden_size): embedded tokens, without positions. */
  readonly embeds: Value
  /** (tokens, batch) int64: number of unmasked tokens before each token of its sequence; -1 for padding. */
  readonly positions: Value
  /** (batch, 1, tokens, past + tokens), added to the attention scores: 0 where a token may look, -∞ elsewhere. */
  readonly mask: Value
  /** The tokens that are computed; all unless given. */
  readonly rows?: TokenRows
  /** Those of them that are asked for: the others are there to be seen only, and the last layer does not go on with them. */
  readonly predicting?: TokenRows
}

/** Hidden states (tokens, batch, hidden_size) after the final layer norm; (predicting, hidden_size) if the inputs say which. */
export function optDecoder(p: Params, config: OptConfig, inputs: DecoderInputs, cache: KeyValueCache): Value {
  const decoder = p.at('model.decoder')
  const { mask, rows = allTokens, predicting = rows } = inputs
  const embeds = add(inputs.embeds, positionEmbedding(decoder.at('embed_positions'), config, inputs.positions))
  let x = rows.take(label(embeds, decoder.at('embeddings').path))
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const to = i === config.num_hidden_layers - 1 ? predicting : rows
    x = layer(() => optLayer(decoder.at('layers').at(i), config, x, { mask, from: rows, to }, cache))
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

/**
 * Next-token prediction: the mean surprise at the labels, of shape (). embeds (tokens, batch, hidden_size) are what is read, labels (tokens,
 * batch) int64 what comes behind each, -100 where it is not to be learnt. Behind its last label nothing of an item is computed; the last layer
 * and the head are computed for the tokens with a label.
 */
export function nextTokenLoss(p: Params, config: OptConfig, embeds: Value, labels: Value): Value {
  const counts = countsAsLabel(labels)
  const rows = someTokens(untilLast(counts), 'rows')
  const predicting = someTokens(counts, 'predicting')
  const positions = reshape(indicesAlong(embeds, 0), [embeds.shape[0] as Dim, 1])
  const inputs = { embeds, positions, mask: causalMask(embeds), rows, predicting }
  const logits = optHead(p, config, optDecoder(p, config, inputs, sharedCache()))
  return label(reshape(crossEntropy(logits, predicting.pick(labels), { classes: config.vocab_size }), []), 'loss')
}

function positionEmbedding(p: Params, config: OptConfig, positions: Value): Value {
  const table = p.get('weight', [config.max_position_embeddings + POSITION_OFFSET, config.hidden_size])
  return gather(table, add(positions, int64s([POSITION_OFFSET], [])))
}

/** What the tokens of a layer see, which of them are its input, and with which of these it goes on. */
interface LayerTokens {
  readonly mask: Value
  readonly from: TokenRows
  readonly to: TokenRows
}

function optLayer(p: Params, config: OptConfig, x: Value, tokens: LayerTokens, cache: KeyValueCache): Value {
  const normed = layerNorm(p.at('self_attn_layer_norm'), x, LAYER_NORM_EPS)
  const attended = add(goOn(x, tokens), selfAttention(p.at('self_attn'), config, normed, tokens, cache))
  const widened = relu(
    linear(p.at('fc1'), layerNorm(p.at('final_layer_norm'), attended, LAYER_NORM_EPS), config.ffn_dim),
  )
  return p.label(add(attended, linear(p.at('fc2'), widened, config.hidden_size)))
}

function selfAttention(p: Params, config: OptConfig, x: Value, tokens: LayerTokens, cache: KeyValueCache): Value {
  const size = config.hidden_size
  const { mask, from, to } = tokens
  const q = to.put(linear(p.at('q_proj'), goOn(x, tokens), size))
  const k = cache.extend(`${p.path}.key`, from.put(linear(p.at('k_proj'), x, size)))
  const v = cache.extend(`${p.path}.value`, from.put(linear(p.at('v_proj'), x, size)))
  const seen = attention(q, k, v, { heads: config.num_attention_heads, bias: mask })
  return linear(p.at('out_proj'), to.take(seen), size)
}

/** The rows with which a layer goes on. */
function goOn(x: Value, { from, to }: LayerTokens): Value {
  return from === to ? x : to.take(from.put(x))
}
