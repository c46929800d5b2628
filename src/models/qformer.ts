/**
 * The Querying Transformer (Li et al. 2023, section 3.1 and figure 2): learned queries attend to each other and, in every
 * `cross_attention_frequency`-th layer, to the frozen image features. A text may stand behind the queries or alone: it shares the
 * self-attention, has a feed-forward of its own and never sees the image itself.
 * Reference: Blip2QFormerModel, transformers 4.27.1; its text half: Qformer.py, LAVIS 506965b, under the names of transformers 4.47.
 */
import { constant, type Dim, layer, type Value } from '../graph/index.ts'
import {
  affine,
  attention,
  embedding,
  emptyCache,
  type KeyValueCache,
  layerNorm,
  linear,
  type Params,
} from '../nn/index.ts'
import {
  add,
  concat,
  gather,
  gelu,
  gemm,
  layerNorm as layerNormOf,
  mul,
  repeatAxis,
  reshape,
  reshapeLike,
  split,
  takeItems,
  transpose,
} from '../ops/index.ts'
import type { QFormerConfig } from './config.ts'

/** Hidden states, each (tokens, batch, hidden_size). */
export interface QueriesAndText {
  readonly queries: Value
  readonly text: Value
}

/** What a text is read with. */
export interface TextInputs {
  /** Word and position embeddings (tokens, batch, hidden_size), as `qformerEmbedding` gives them. */
  readonly embeds: Value
  /** Added to the attention scores, broadcast to (batch, heads, rows, keys): 0 where a row may look, -∞ elsewhere. */
  readonly mask: Value
  /**
   * Where texts are read with several images each: (count) int64, the index of the text of each item of the batch. What the first layer
   * does before an image is seen is then done once for each text.
   */
  readonly items?: Value
}

/** Images as the layers that attend to them see them, one for each item of a batch. */
export interface SeenImages {
  /** What the queries q find in the images of their items by the attention at `p`. (queries, items, hidden_size) → the same shape. */
  attend(p: Params, config: QFormerConfig, q: Value): Value
}

/** Each image once. */
export interface ImageBatch extends SeenImages {
  /** x (rows, 1, size) → (rows, batch, size): the same for each image. */
  repeat(x: Value): Value
  /** The keys and values of the attention at `p`, (patches, batch, hidden_size). */
  keyValue(p: Params, config: QFormerConfig): KeyValue
}

interface KeyValue {
  readonly k: Value
  readonly v: Value
}

/** images (patches, batch, encoder_hidden_size). For several passes over them: keys and values, and so their gradients, are made once. */
function seenImages(images: Value): ImageBatch {
  return seen(images, (p, size) => linear(p, images, size))
}

/**
 * The same of images before their norm, whose weights are at `norm`, for training: with x̂ the images of mean 0 and deviation 1,
 * (x̂·scale + shift)·wᵀ + b = x̂·(w·scale)ᵀ + (w·shift + b). So the norm's gradient comes from that of w, and none of the images' size
 * is computed where nothing below them trains.
 */
export function seenBeforeNorm(norm: Params, images: Value, eps: number): ImageBatch {
  const inSize = images.shape.at(-1) as number
  const plain = (value: number) => constant(new Float32Array(inSize).fill(value))
  const normed = layerNormOf(images, plain(1), plain(0), eps)
  const [scale, shift] = [norm.get('weight', [inSize]), norm.get('bias', [inSize])]
  return seen(images, (p, size) => {
    const weight = p.get('weight', [size, inSize])
    const bias = gemm(reshape(shift, [1, inSize]), weight, p.get('bias', [size]))
    return p.label(affine(normed, mul(weight, scale), reshape(bias, [size])))
  })
}

function seen(images: Value, project: (p: Params, size: number) => Value): ImageBatch {
  const made = new Map<string, KeyValue>()
  const keyValue = (p: Params, { hidden_size }: QFormerConfig) => {
    const known = made.get(p.path)
    if (known) return known
    const pair = { k: project(p.at('key'), hidden_size), v: project(p.at('value'), hidden_size) }
    made.set(p.path, pair)
    return pair
  }
  return {
    repeat: (x) => repeatAxis(x, 1, images, 1),
    keyValue,
    attend(p, config, q) {
      const { k, v } = keyValue(p, config)
      const options = { heads: config.num_attention_heads }
      if (k.shape[1] !== 1 || q.shape[1] === 1) return attention(q, k, v, options)
      const oneAfterAnother = reshape(q, [-1, 1, config.hidden_size]) // all items see the one image
      return reshapeLike(attention(oneAfterAnother, k, v, options), q)
    },
  }
}

/**
 * Three times as many items as images: each image, then other ones, then each again. `others` (batch) int64 are indices of images. The two
 * items of an image look at it together, so that its keys and values are not there twice.
 */
export function seenWithOthers(images: ImageBatch, others: Value): SeenImages {
  const [batch] = others.shape as [Dim]
  return {
    attend(p, config, q) {
      const { k, v } = images.keyValue(p, config)
      const [queries, , size] = q.shape as [number, Dim, number]
      const parts = split(reshape(q, [queries, 3, batch, size]), [1, 1, 1], 1)
      const [first, between, last] = parts.map((part) => reshape(part, [queries, batch, size])) as [Value, Value, Value]
      const options = { heads: config.num_attention_heads }
      const own = attention(concat([first, last], 0), k, v, options)
      const other = attention(between, takeItems(k, others), takeItems(v, others), options)
      const [ownFirst, ownLast] = split(own, [queries, queries], 0) as [Value, Value]
      const rows = [ownFirst, other, ownLast].map((part) => reshape(part, [queries, 1, batch, size]))
      return reshapeLike(concat(rows, 1), q)
    },
  }
}

/**
 * The queries alone. queryTokens (1, queries, hidden_size), image (patches, batch, encoder_hidden_size) → (queries, batch, hidden_size).
 * Their keys and values go to the cache, for a text that is to be generated.
 */
export function qformer(
  p: Params,
  config: QFormerConfig,
  queryTokens: Value,
  image: Value | ImageBatch,
  cache: KeyValueCache = emptyCache(),
): Value {
  const images = 'attend' in image ? image : seenImages(image)
  const embeds = images.repeat(transpose(queryTokens, [1, 0, 2]))
  return layers(p, config, embeds, { queries: queryTokens.shape[1] as number, text: 0, images, cache })[0] as Value
}

/** A text alone, or behind what the cache holds. → (tokens, batch, hidden_size) */
export function qformerText(
  p: Params,
  config: QFormerConfig,
  { embeds, mask }: TextInputs,
  cache: KeyValueCache = emptyCache(),
): Value {
  return layers(p, config, embeds, { queries: 0, text: embeds.shape[0] as Dim, mask, cache })[0] as Value
}

/**
 * Queries and text together, each seeing the other as far as the mask lets it. image (patches, batch, encoder_hidden_size), or
 * (patches, 1, …): one image with a batch of texts, whose keys and values are computed once.
 */
export function qformerWithText(
  p: Params,
  config: QFormerConfig,
  queryTokens: Value,
  image: Value | SeenImages,
  inputs: TextInputs,
): QueriesAndText {
  const [queries, text] = withText(p, config, queryTokens, image, inputs) as [Value, Value]
  return { queries, text }
}

/**
 * The queries alone of `qformerWithText`, for texts that say what to look for: what the last layer would make of the text is not computed,
 * and its weights are not asked for.
 */
export function qformerReadingText(
  p: Params,
  config: QFormerConfig,
  queryTokens: Value,
  image: Value | SeenImages,
  text: TextInputs,
): Value {
  return withText(p, config, queryTokens, image, text, { textEnds: true })[0] as Value
}

function withText(
  p: Params,
  config: QFormerConfig,
  queryTokens: Value,
  image: Value | SeenImages,
  { embeds, mask, items }: TextInputs,
  ending: Pick<Rows, 'textEnds'> = {},
): Value[] {
  const rows = concat([repeatAxis(transpose(queryTokens, [1, 0, 2]), 1, embeds, 1), embeds], 0)
  return layers(p, config, rows, {
    queries: queryTokens.shape[1] as number,
    text: embeds.shape[0] as Dim,
    images: 'attend' in image ? image : seenImages(image),
    mask,
    ...(items && { items }),
    cache: emptyCache(),
    ...ending,
  })
}

/** ids, positions (tokens, batch) int64, positions from 0 (a batch of 1 serves all) → (tokens, batch, hidden_size). Not normalised yet. */
export function qformerEmbedding(p: Params, config: QFormerConfig, ids: Value, positions: Value): Value {
  const { vocab_size, max_position_embeddings, hidden_size } = config
  const words = embedding(p.at('word_embeddings'), ids, vocab_size, hidden_size)
  const table = p.at('position_embeddings').get('weight', [max_position_embeddings, hidden_size])
  return add(words, gather(table, positions))
}

/** What the rows of a layer are, queries before text, and what they see beside each other. */
interface Rows {
  readonly queries: number
  readonly text: Dim
  readonly images?: SeenImages
  readonly mask?: Value
  readonly items?: Value
  readonly cache: KeyValueCache
  /** Nobody reads the text behind the last layer. */
  readonly textEnds?: boolean
}

/** The queries' rows, the text's, or both, apart from each other: often only one of them is used. */
function layers(p: Params, config: QFormerConfig, embeds: Value, rows: Rows): Value[] {
  let parts = [layerNorm(p.at('layernorm'), embeds, config.layer_norm_eps)]
  const afterFirst = withEachItem(rows)
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const x = parts.length === 1 ? (parts[0] as Value) : concat(parts, 0)
    const seesImage = i % config.cross_attention_frequency === 0
    const textEnds = rows.textEnds === true && i === config.num_hidden_layers - 1
    const before = { ...(i === 0 ? rows : afterFirst), textEnds }
    const images = seesImage ? rows.images : undefined
    parts = layer(() => qformerLayer(p.at('encoder.layer').at(i), config, x, before, images))
  }
  return parts
}

/** The rows once the first layer has made an item of each pair of image and text. */
function withEachItem({ items, mask, ...rows }: Rows): Rows {
  return { ...rows, ...(mask && { mask: items ? gather(mask, items) : mask }) }
}

/** Post-norm block. */
function qformerLayer(p: Params, config: QFormerConfig, x: Value, rows: Rows, images: SeenImages | undefined): Value[] {
  const attended = selfAttention(p.at('attention'), config, x, rows)
  const ofQueries = (y: Value) => {
    const seen = images ? crossAttention(p.at('crossattention'), config, y, images) : y
    return feedForward(p.at('intermediate_query'), p.at('output_query'), config, seen)
  }
  const ofText = (y: Value) => feedForward(p.at('intermediate'), p.at('output'), config, y)
  if (rows.text === 0) return [ofQueries(attended)]
  if (rows.queries === 0) return [ofText(attended)]
  const [queries, text] = split(attended, [rows.queries, rows.text], 0) as [Value, Value]
  const forEachItem = (y: Value) => (rows.items ? takeItems(y, rows.items) : y)
  const seen = ofQueries(forEachItem(queries))
  return rows.textEnds ? [seen] : [seen, forEachItem(ofText(text))]
}

/** All rows, and those of the cache, among each other. */
function selfAttention(p: Params, config: QFormerConfig, x: Value, { mask, cache }: Rows): Value {
  const inner = p.at('attention')
  const size = config.hidden_size
  const q = linear(inner.at('query'), x, size)
  const k = cache.extend(`${p.path}.key`, linear(inner.at('key'), x, size))
  const v = cache.extend(`${p.path}.value`, linear(inner.at('value'), x, size))
  const heads = attention(q, k, v, { heads: config.num_attention_heads, bias: mask })
  return addAndNorm(p.at('output'), config, heads, x)
}

function crossAttention(p: Params, config: QFormerConfig, x: Value, images: SeenImages): Value {
  const inner = p.at('attention')
  const size = config.hidden_size
  const seen = images.attend(inner, config, linear(inner.at('query'), x, size))
  return addAndNorm(p.at('output'), config, seen, x)
}

function feedForward(widen: Params, narrow: Params, config: QFormerConfig, x: Value): Value {
  return addAndNorm(narrow, config, gelu(linear(widen.at('dense'), x, config.intermediate_size)), x)
}

/** BERT's output block: LayerNorm(dense(y) + x). */
function addAndNorm(p: Params, config: QFormerConfig, y: Value, x: Value): Value {
  return layerNorm(p.at('LayerNorm'), add(linear(p.at('dense'), y, config.hidden_size), x), config.layer_norm_eps)
}
