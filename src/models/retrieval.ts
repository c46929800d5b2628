/**
 * The first stage of BLIP-2 (Li et al. 2023, section 3.2): the Q-Former over a frozen image encoder, with its text half and three
 * heads: contrastive (ITC), matching (ITM) and, in LAVIS's files, captioning (ITG). Reference: Blip2Qformer, LAVIS 506965b; names as in
 * Blip2ForImageTextRetrieval, transformers 4.47, and for what that leaves out (captioning head, temperature) those of LAVIS.
 *
 * Each function whose name ends in Graph builds one graph that is run on its own. Texts are (tokens, batch), padded at the end;
 * `mask` (batch, 1, 1, rows) is added to the attention scores: -∞ where a row is padding.
 */
import { input, label, scalar, type Value } from '../graph/index.ts'
import { affine, emptyCache, graphCache, layerNorm, linear, type Params } from '../nn/index.ts'
import {
  add,
  div,
  gather,
  gelu,
  matmul,
  mul,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  slice,
  sqrt,
  swapLast,
} from '../ops/index.ts'
import type { Graph } from './blip2.ts'
import type { RetrievalConfig } from './config.ts'
import { imageEncoder } from './image-encoder.ts'
import { qformer, qformerEmbedding, qformerText, qformerWithText } from './qformer.ts'

/**
 * pixel_values (batch, 3, image_size, image_size) → image_embeds (patches, batch, encoder's hidden_size), which matching attends to;
 * query_output (queries, batch, hidden_size); image_feats (queries, batch, image_text_hidden_size), each of length 1.
 */
export function imageFeaturesGraph(p: Params, config: RetrievalConfig): Graph {
  const { num_channels, image_size } = config.vision_config
  const pixelValues = input('pixel_values', 'float32', ['batch', num_channels, image_size, image_size])
  const image = imageEncoder(p, config.vision_config, pixelValues)
  const queries = label(qformer(p.at('qformer'), config.qformer_config, queryTokens(p, config), image), 'query_output')
  return { image_embeds: image, query_output: queries, image_feats: imageFeatures(p, config, queries) }
}

/**
 * input_ids (tokens, batch), positions (tokens, 1), mask → text_output (tokens, batch, hidden_size); text_feats (tokens, batch,
 * image_text_hidden_size), each of length 1; text_feat (batch, image_text_hidden_size), those of the first token, which are compared.
 */
export function textFeaturesGraph(p: Params, config: RetrievalConfig): Graph {
  const embeds = textEmbedding(p, config)
  const mask = input('mask', 'float32', ['batch', 1, 1, 'tokens'])
  const text = label(qformerText(p.at('qformer'), config.qformer_config, { embeds, mask }), 'text_output')
  const features = textFeatures(p, config, text)
  return { text_output: text, text_feats: features, text_feat: firstToken(features) }
}

/**
 * image_embeds (patches, images, encoder's hidden_size), input_ids (tokens, batch), positions (tokens, 1), mask over queries and text →
 * multimodal_embeds (queries, batch, hidden_size); itm_logits (batch, 2): no match, match. `images` is as many as there are texts, or 1:
 * all texts with one image.
 */
export function matchGraph(p: Params, config: RetrievalConfig, images: 'batch' | 1): Graph {
  const { vision_config, qformer_config, num_query_tokens } = config
  const image = input('image_embeds', 'float32', ['patches', images, vision_config.hidden_size])
  const mask = input('mask', 'float32', ['batch', 1, 1, `tokens+${num_query_tokens}`])
  const text = { embeds: textEmbedding(p, config), mask }
  const { queries } = qformerWithText(p.at('qformer'), qformer_config, queryTokens(p, config), image, text)
  return { multimodal_embeds: label(queries, 'multimodal_embeds'), itm_logits: matchLogits(p, queries) }
}

/** image_feats (images, queries, size), text_feat (texts, size) → itc (images, texts): the best query's cosine, without temperature. */
export function similarityGraph(config: RetrievalConfig): Graph {
  const { num_query_tokens, image_text_hidden_size } = config
  const image = input('image_feats', 'float32', ['images', num_query_tokens, image_text_hidden_size])
  const text = input('text_feat', 'float32', ['texts', image_text_hidden_size])
  return { itc: reshape(reduceMax(queryCosines(image, text), [1]), ['images', 'texts']) }
}

/** image_embeds (patches, batch, encoder's hidden_size) → present.* (the queries' keys and values), for `captionStepGraph`. */
export function captionPromptGraph(p: Params, config: RetrievalConfig): Graph {
  const image = input('image_embeds', 'float32', ['patches', 'batch', config.vision_config.hidden_size])
  const cache = emptyCache()
  qformer(p.at('qformer'), config.qformer_config, queryTokens(p, config), image, cache)
  return cache.outputs
}

/**
 * Reads tokens behind the queries and the tokens of the cache. input_ids, positions (tokens, batch), mask (batch, 1, tokens,
 * past + tokens), past.* → present.*, logits (read, batch, vocab_size) of the tokens `read` (read).
 */
export function captionStepGraph(p: Params, config: RetrievalConfig): Graph {
  const cache = graphCache()
  const ids = input('input_ids', 'int64', ['tokens', 'batch'])
  const embeds = qformerEmbedding(
    p.at('embeddings'),
    config.qformer_config,
    ids,
    input('positions', 'int64', ids.shape),
  )
  const mask = input('mask', 'float32', ['batch', 1, 'tokens', 'past+tokens'])
  const text = qformerText(p.at('qformer'), config.qformer_config, { embeds, mask }, cache)
  return { logits: captionLogits(p, config, gather(text, input('read', 'int64', ['read']))), ...cache.outputs }
}

/** The captioning head of BERT over the word embeddings. x (…, hidden_size) → (…, vocab_size). */
export function captionLogits(p: Params, config: RetrievalConfig, x: Value): Value {
  const { hidden_size, vocab_size, layer_norm_eps } = config.qformer_config
  const head = p.at('Qformer.cls.predictions')
  const transform = head.at('transform')
  const normed = layerNorm(
    transform.at('LayerNorm'),
    gelu(linear(transform.at('dense'), x, hidden_size)),
    layer_norm_eps,
  )
  const table = p.at('embeddings.word_embeddings').get('weight', [vocab_size, hidden_size])
  return head.label(affine(normed, table, head.get('bias', [vocab_size])))
}

/** The queries' output (queries, batch, hidden_size) in the space of comparison. */
export function imageFeatures(p: Params, config: RetrievalConfig, queries: Value): Value {
  return label(normalised(linear(p.at('vision_projection'), queries, config.image_text_hidden_size)), 'image_feats')
}

/** A text's output (tokens, batch, hidden_size) in the space of comparison. */
export function textFeatures(p: Params, config: RetrievalConfig, text: Value): Value {
  return label(normalised(linear(p.at('text_projection'), text, config.image_text_hidden_size)), 'text_feats')
}

/** (tokens, batch, size) → (batch, size): that of [CLS]. */
export function firstToken(x: Value): Value {
  return reshape(slice(x, 0, 0, 1), [-1, x.shape.at(-1) as number])
}

/** Cosines of every query with every text. image (images, queries, size), text (texts, size) → (images, queries, texts). */
export function queryCosines(image: Value, text: Value): Value {
  return matmul(image, swapLast(text))
}

/** Queries that have read a text (queries, batch, hidden_size) → (batch, 2): no match, match. The mean over the queries. */
export function matchLogits(p: Params, queries: Value): Value {
  const tokens = p.label(linear(p.at('itm_head'), queries, 2), 'itm_token_logits')
  return label(reshape(reduceMean(tokens, [0]), [-1, 2]), 'itm_logits')
}

/** Divides the cosines in training (learned, 0.07 at the start). */
export function temperature(p: Params): Value {
  return p.get('temp', [])
}

export function queryTokens(p: Params, { num_query_tokens, qformer_config }: RetrievalConfig): Value {
  return p.get('query_tokens', [1, num_query_tokens, qformer_config.hidden_size])
}

function textEmbedding(p: Params, config: RetrievalConfig): Value {
  const ids = input('input_ids', 'int64', ['tokens', 'batch'])
  return qformerEmbedding(p.at('embeddings'), config.qformer_config, ids, input('positions', 'int64', ['tokens', 1]))
}

/** x of length 1 along its last axis (torch.nn.functional.normalize). */
export function normalised(x: Value): Value {
  return div(x, sqrt(add(reduceSum(mul(x, x), [-1]), scalar(1e-24))))
}

/** Whether the file has the captioning head: LAVIS's and mmpretrain's have, those of Hugging Face do not. */
export function canCaption(names: { has(name: string): boolean }): boolean {
  return names.has('Qformer.cls.predictions.transform.dense.weight')
}

/** Weights that a file may hold under another name as well. */
export const retrievalTiedNames: Readonly<Record<string, readonly string[]>> = {
  'embeddings.word_embeddings.weight': ['Qformer.cls.predictions.decoder.weight'],
  'Qformer.cls.predictions.bias': ['Qformer.cls.predictions.decoder.bias'],
}
