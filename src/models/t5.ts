/**
 * Flan-T5 (Chung et al. 2022; Raffel et al. 2020, T5 v1.1): encoder and decoder, pre-norm with root-mean-square norms and no
 * biases, gated GELU, attention without scaling, relative position biases that the first block owns and all share, a head
 * of its own. Reference: T5ForConditionalGeneration, transformers 4.27.1.
 */
import { constant, type Dim, int64s, label, layer, type Value } from '../graph/index.ts'
import {
  affine,
  allTokens,
  attention,
  embedding,
  type KeyValueCache,
  linear,
  type Params,
  rmsNorm,
  type TokenRows,
} from '../nn/index.ts'
import { add, clip, gather, gelu, mul, reshape, sub, transpose } from '../ops/index.ts'
import type { T5Config } from './config.ts'
import { relativePositionBucket } from './t5-buckets.ts'

/** ids (tokens, batch) int64 → (tokens, batch, d_model); one table for encoder and decoder. */
export function t5Embedding(p: Params, config: T5Config, ids: Value): Value {
  return embedding(p.at('shared'), ids, config.vocab_size, config.d_model)
}

export interface T5EncoderInputs {
  /** (source, batch, d_model). */
  readonly embeds: Value
  /** (source) int64: 0, 1, 2, … */
  readonly positions: Value
  /** (batch, 1, 1, source), added to the attention scores: 0 for tokens, -∞ for padding. */
  readonly mask: Value
  /** The tokens that are computed; all unless given. */
  readonly rows?: TokenRows
}

/** Hidden states (source, batch, d_model), or (rows, d_model) of the rows given, after the final norm. */
export function t5Encoder(p: Params, config: T5Config, inputs: T5EncoderInputs): Value {
  const { embeds, positions, mask, rows = allTokens } = inputs
  const firstAttention = p.at('encoder.block.0.layer.0.SelfAttention')
  const bias = add(positionBias(firstAttention, config, positions, positions, true), mask)
  let x = rows.take(embeds)
  for (let i = 0; i < config.num_layers; i++) {
    x = layer(() => encoderBlock(p.at('encoder.block').at(i), config, x, { rows, bias }))
  }
  return rmsNorm(p.at('encoder.final_layer_norm'), x, config.layer_norm_epsilon)
}

function encoderBlock(block: Params, config: T5Config, x: Value, { rows, bias }: Attending): Value {
  const attend = block.at('layer.0')
  const normed = rmsNorm(attend.at('layer_norm'), x, config.layer_norm_epsilon)
  const { k, v } = keyValue(attend.at('SelfAttention'), config, normed)
  const own = { k: rows.put(k), v: rows.put(v) }
  const y = attentionBlock(attend.at('SelfAttention'), config, normed, own, { rows, bias })
  return block.label(feedForward(block.at('layer.1'), config, add(x, y)))
}

/**
 * Puts the keys and values that every decoder block will look up in the encoded source (source, batch, d_model), or in the `rows` of it that were
 * encoded, into the cache.
 */
export function t5CrossKeyValues(
  p: Params,
  config: T5Config,
  source: Value,
  cache: KeyValueCache,
  rows: TokenRows = allTokens,
): void {
  for (let i = 0; i < config.num_decoder_layers; i++) {
    const attend = p.at('decoder.block').at(i).at('layer.1.EncDecAttention')
    const { k, v } = keyValue(attend, config, source)
    cache.extend(`${attend.path}.key`, rows.put(k))
    cache.extend(`${attend.path}.value`, rows.put(v))
  }
}

export interface T5DecoderInputs {
  /** (tokens, batch, d_model). */
  readonly embeds: Value
  /** (tokens) int64. */
  readonly positions: Value
  /** (past + tokens) int64: positions of all tokens that can be looked at. */
  readonly keyPositions: Value
  /** (batch, 1, tokens, past + tokens), added to the attention scores. */
  readonly mask: Value
  /** (batch, 1, 1, source), added to the scores of the attention to the source. */
  readonly sourceMask: Value
  /** The tokens that are computed; all unless given. */
  readonly rows?: TokenRows
}

/** Hidden states (tokens, batch, d_model), or (rows, d_model) of the rows given, after the final norm. The cache holds the source's keys and values. */
export function t5Decoder(p: Params, config: T5Config, inputs: T5DecoderInputs, cache: KeyValueCache): Value {
  const { embeds, positions, keyPositions, mask, sourceMask, rows = allTokens } = inputs
  const firstAttention = p.at('decoder.block.0.layer.0.SelfAttention')
  const bias = add(positionBias(firstAttention, config, positions, keyPositions, false), mask)
  let x = rows.take(embeds)
  for (let i = 0; i < config.num_decoder_layers; i++) {
    x = layer(() => decoderBlock(p.at('decoder.block').at(i), config, x, { rows, bias, sourceMask, cache }))
  }
  return rmsNorm(p.at('decoder.final_layer_norm'), x, config.layer_norm_epsilon)
}

/** The tokens that look, and what is added to the scores of their attention. */
interface Attending {
  readonly rows: TokenRows
  readonly bias: Value
}

/** What the decoder's blocks share; `bias` is that of the attention to the tokens. */
interface DecoderShared extends Attending, Pick<T5DecoderInputs, 'sourceMask'> {
  readonly cache: KeyValueCache
}

function decoderBlock(block: Params, config: T5Config, x: Value, shared: DecoderShared): Value {
  const { rows, bias, sourceMask, cache } = shared
  const own = block.at('layer.0')
  const normed = rmsNorm(own.at('layer_norm'), x, config.layer_norm_epsilon)
  const { k, v } = keyValue(own.at('SelfAttention'), config, normed)
  const all = { k: cache.extend(`${own.path}.key`, rows.put(k)), v: cache.extend(`${own.path}.value`, rows.put(v)) }
  const heard = add(x, attentionBlock(own.at('SelfAttention'), config, normed, all, { rows, bias }))

  const cross = block.at('layer.1')
  const attend = cross.at('EncDecAttention')
  const [batch, , , source] = sourceMask.shape as [Dim, Dim, Dim, Dim]
  const width = [batch, config.num_heads * config.d_kv]
  const seen = {
    k: cache.recall(`${attend.path}.key`, source, width),
    v: cache.recall(`${attend.path}.value`, source, width),
  }
  const query = rmsNorm(cross.at('layer_norm'), heard, config.layer_norm_epsilon)
  const read = add(heard, attentionBlock(attend, config, query, seen, { rows, bias: sourceMask }))

  return block.label(feedForward(block.at('layer.2'), config, read))
}

/** Logits over the vocabulary: an untied head, unscaled. x (…, d_model) → (…, vocab_size). */
export function t5Head(p: Params, config: T5Config, x: Value): Value {
  const head = p.at('lm_head')
  return label(affine(x, head.get('weight', [config.vocab_size, config.d_model]), undefined), head.path)
}

interface KeyValue {
  readonly k: Value
  readonly v: Value
}

function keyValue(p: Params, config: T5Config, x: Value): KeyValue {
  const size = config.num_heads * config.d_kv
  return { k: linear(p.at('k'), x, size, { bias: false }), v: linear(p.at('v'), x, size, { bias: false }) }
}

function attentionBlock(p: Params, config: T5Config, x: Value, { k, v }: KeyValue, { rows, bias }: Attending): Value {
  const q = rows.put(linear(p.at('q'), x, config.num_heads * config.d_kv, { bias: false }))
  const y = rows.take(attention(q, k, v, { heads: config.num_heads, scale: 1, bias }))
  return linear(p.at('o'), y, config.d_model, { bias: false })
}

/** x + wo(gelu(wi_0(norm x))·wi_1(norm x)). */
function feedForward(p: Params, config: T5Config, x: Value): Value {
  const normed = rmsNorm(p.at('layer_norm'), x, config.layer_norm_epsilon)
  const dense = p.at('DenseReluDense')
  const gate = gelu(linear(dense.at('wi_0'), normed, config.d_ff, { bias: false }))
  const gated = mul(gate, linear(dense.at('wi_1'), normed, config.d_ff, { bias: false }))
  return add(x, linear(dense.at('wo'), gated, config.d_model, { bias: false }))
}

/** (heads, tokens, keys): what each head adds to its scores for the distance between two positions. */
function positionBias(
  p: Params,
  config: T5Config,
  positions: Value,
  keyPositions: Value,
  bidirectional: boolean,
): Value {
  const { relative_attention_num_buckets: buckets, relative_attention_max_distance: limit } = config
  const distances = Array.from({ length: 2 * limit + 1 }, (_, i) => i - limit)
  const table = distances.map((distance) => relativePositionBucket(distance, { bidirectional, buckets, limit }))
  const relative = sub(
    reshape(keyPositions, [1, keyPositions.shape[0] as Dim]),
    reshape(positions, [positions.shape[0] as Dim, 1]),
  )
  const index = add(clip(relative, int64s([-limit], []), int64s([limit], [])), int64s([limit], []))
  const bucket = gather(constant(BigInt64Array.from(table, BigInt)), index)
  const weights = p.get('relative_attention_bias.weight', [buckets, config.num_heads])
  return transpose(gather(weights, bucket), [2, 0, 1])
}
