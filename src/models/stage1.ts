/**
 * The objectives of the first stage (Li et al. 2023, section 3.2): image-text contrast (ITC), image-text matching (ITM) and image-grounded
 * text generation (ITG), summed with weights of 1. Reference: Blip2Qformer.forward, LAVIS 506965b, on one process.
 */
import { ConfigError } from '../errors.ts'
import { type Dim, input, int64s, label, scalar, type Value } from '../graph/index.ts'
import { crossEntropy, IGNORED, type KeyValueCache, type Params, sharedCache } from '../nn/index.ts'
import {
  add,
  argMax,
  cast,
  concat,
  div,
  dropFrontAxes,
  equal,
  expandLike,
  indicesAlong,
  logSoftmax,
  mul,
  reduceMax,
  reduceMean,
  reduceSum,
  repeatAxis,
  reshape,
  reshapeLike,
  slice,
  split,
  swapLast,
  where,
} from '../ops/index.ts'
import type { RetrievalConfig } from './config.ts'
import { normParams } from './image-encoder.ts'
import { behindQueries, causalMask, paddingMask } from './masks.ts'
import {
  type ImageBatch,
  qformer,
  qformerEmbedding,
  qformerText,
  qformerWithText,
  seenBeforeNorm,
  seenWithOthers,
} from './qformer.ts'
import {
  captionLogits,
  firstToken,
  imageFeatures,
  matchLogits,
  queryCosines,
  queryTokens,
  temperature,
  textFeatures,
} from './retrieval.ts'

export type Stage1Loss = 'itc' | 'itm' | 'itg'

export interface Stage1Options {
  /** Id of [DEC], which stands in place of [CLS] where a text is to be generated. */
  readonly decTokenId: number
  /** What is summed; all three unless given (the paper's table 6 leaves ITG out). */
  readonly losses?: readonly Stage1Loss[]
}

/** `loss` is the sum of the others, which are there as far as they were asked for. Each has shape (). */
export type Stage1Losses = { readonly loss: Value } & { readonly [Name in `loss_${Stage1Loss}`]?: Value }

/** Share of a target that is spread evenly over all classes, in ITC and in ITG. */
const LABEL_SMOOTHING = 0.1

/**
 * The losses of a batch of pairs. `image` (patches, batch, encoder's hidden_size) is the image encoder's output without the norm: an input
 * where the encoder is frozen, so that its features may be cached, else the encoder's graph. Further inputs of the graph:
 *
 * - input_ids (tokens, batch): [CLS] … [SEP], padded at the end with pad_token_id;
 * - image_ids (batch) int64: pairs of one id are no negatives of each other. A number of its own for each pair gives the loss of
 *   pre-training; ids of the images that of the fine-tuning for retrieval, where an image comes with several captions;
 * - for ITM, gumbel.images and gumbel.texts (batch, batch): independent draws of -ln(-ln u), u uniform in (0, 1). They decide which image
 *   becomes the negative of each text, and which text that of each image, with the probabilities of ITC's softmax.
 *
 * A pair for which the batch has no negative counts as a positive only (in a batch of one, ITC is 0).
 */
export function stage1Graph(p: Params, config: RetrievalConfig, image: Value, options: Stage1Options): Stage1Losses {
  const wanted = new Set(options.losses ?? ['itc', 'itm', 'itg'])
  if (wanted.size === 0) throw new ConfigError('stage 1: losses: expected itc, itm, itg or some of them, found none')
  const pass = firstPass(p, config, image, wanted.has('itg') ? options.decTokenId : undefined)
  const losses: { [Name in `loss_${Stage1Loss}`]?: Value } = {}
  if (wanted.has('itc') || wanted.has('itm')) {
    const pairs = comparePairs(p, config, pass)
    if (wanted.has('itc')) losses.loss_itc = contrastiveLoss(pairs)
    if (wanted.has('itm')) losses.loss_itm = matchingLoss(p, config, pass, pairs)
  }
  if (wanted.has('itg')) losses.loss_itg = generationLoss(p, config, pass)
  return { loss: Object.values(losses).reduce(add), ...losses }
}

/** What the losses share. */
interface FirstPass {
  readonly ids: Value
  readonly images: ImageBatch
  /** The queries that have seen each image (queries, batch, hidden_size), */
  readonly queries: Value
  /** and their keys and values, for a text to be generated. */
  readonly cache: KeyValueCache
  /** Word and position embeddings (tokens, batch, hidden_size), */
  readonly embeds: Value
  /** and the same behind [DEC]; present for ITG. */
  readonly captionEmbeds?: Value
}

function firstPass(p: Params, config: RetrievalConfig, image: Value, decTokenId: number | undefined): FirstPass {
  const ids = input('input_ids', 'int64', ['tokens', image.shape[1] as Dim])
  const images = seenBeforeNorm(normParams(p), image, config.vision_config.post_layernorm_eps)
  const cache = sharedCache()
  const queries = qformer(p.at('qformer'), config.qformer_config, queryTokens(p, config), images, cache)
  return { ids, images, queries: label(queries, 'query_output'), cache, ...embedTexts(p, config, ids, decTokenId) }
}

/** One look-up for the texts and for [DEC], as its gradient is as large as the table. */
function embedTexts(p: Params, config: RetrievalConfig, ids: Value, decTokenId: number | undefined) {
  const embed = (all: Value, positions: Value) =>
    qformerEmbedding(p.at('embeddings'), config.qformer_config, all, reshape(positions, [positions.shape[0] as Dim, 1]))
  const positions = indicesAlong(ids, 0)
  if (decTokenId === undefined) return { embeds: embed(ids, positions) }
  const all = concat([forEachItem(decTokenId, ids), ids], 0)
  const embedded = embed(all, concat([int64s([0]), positions], 0))
  const [dec, embeds] = split(embedded, [1, ids.shape[0] as Dim], 0) as [Value, Value]
  return { embeds, captionEmbeds: reshapeLike(concat([dec, slice(embeds, 0, 1)], 0), embeds) }
}

/** A row (1, batch) of one token. */
function forEachItem(tokenId: number, ids: Value): Value {
  return repeatAxis(int64s([tokenId], [1, 1]), 1, ids, 1)
}

/** A batch of pairs beside each other, (batch, batch). */
export interface Pairs {
  /** Of each image (rows) to each text: the best query's cosine, divided by the temperature. */
  readonly similarity: Value
  /** Bool: the same image. */
  readonly same: Value
}

function comparePairs(p: Params, config: RetrievalConfig, { ids, queries, embeds }: FirstPass): Pairs {
  const { qformer_config } = config
  const mask = paddingMask(ids, qformer_config.pad_token_id)
  const text = label(qformerText(p.at('qformer'), qformer_config, { embeds, mask }), 'text_output')
  const feature = label(firstToken(textFeatures(p, config, slice(text, 0, 0, 1))), 'text_feat')
  const cosines = label(queryCosines(imageFeatures(p, config, queries), feature), 'sim_q2t')
  const best = dropFrontAxes(reduceMax(cosines, [0]), 1)
  const batch = ids.shape[1] as Dim
  const imageIds = input('image_ids', 'int64', [batch])
  return {
    similarity: label(div(best, temperature(p)), 'sim_i2t'),
    same: equal(reshape(imageIds, [batch, 1]), reshape(imageIds, [1, batch])),
  }
}

/** Cross-entropy from images to texts and from texts to images; all pairs of an image share its target. */
export function contrastiveLoss({ similarity, same }: Pairs): Value {
  const hits = cast(same, 'float32')
  const targets = div(hits, reduceSum(hits, [1]))
  const towards = (scores: Value) => {
    const logp = logSoftmax(scores)
    const target = reduceMean(reduceSum(mul(logp, targets), [1]), [0])
    return add(mul(target, scalar(LABEL_SMOOTHING - 1)), mul(reduceMean(logp, [0, 1]), scalar(-LABEL_SMOOTHING)))
  }
  return asLoss(mul(add(towards(similarity), towards(swapLast(similarity))), scalar(0.5)), 'loss_itc')
}

/** Two classes; the pairs, each text with a negative image, each image with a negative text. */
function matchingLoss(p: Params, config: RetrievalConfig, pass: FirstPass, pairs: Pairs): Value {
  const { ids, images, embeds } = pass
  const { qformer_config, num_query_tokens } = config
  const own = indicesAlong(ids, 1)
  const negativeImages = drawNegatives(swapLast(pairs.similarity), pairs.same, 'gumbel.images')
  const negativeTexts = drawNegatives(pairs.similarity, pairs.same, 'gumbel.texts')
  const textItems = concat([own, own, negativeTexts], 0)

  const mask = behindQueries(paddingMask(ids, qformer_config.pad_token_id), num_query_tokens)
  const text = { embeds, mask, items: textItems }
  const seen = seenWithOthers(images, negativeImages)
  const { queries } = qformerWithText(p.at('qformer'), qformer_config, queryTokens(p, config), seen, text)

  const positive = expandLike(int64s([1]), own)
  const onlyOwn = equal(reduceMean(cast(pairs.same, 'float32'), [1]), scalar(1))
  const negative = reshape(where(onlyOwn, int64s([IGNORED], []), int64s([0], [])), own.shape)
  const labels = concat([positive, negative, negative], 0)
  return asLoss(crossEntropy(matchLogits(p, queries), labels, { classes: 2 }), 'loss_itm')
}

/**
 * For each row the index of a column of another image, drawn with the probabilities of the row's softmax: the largest of the logits plus
 * Gumbel noise (Gumbel 1954; Maddison et al. 2014). No gradient passes through the choice.
 */
function drawNegatives(similarity: Value, same: Value, noise: string): Value {
  const others = where(same, scalar(-10000), similarity)
  return argMax(add(others, input(noise, 'float32', similarity.shape)))
}

/** The next token of each text behind [DEC], which sees the queries and what is before it. Gradients also reach the queries' pass. */
function generationLoss(p: Params, config: RetrievalConfig, { ids, cache, captionEmbeds }: FirstPass): Value {
  const { qformer_config, num_query_tokens } = config
  const { pad_token_id, vocab_size } = qformer_config
  const visible = behindQueries(paddingMask(ids, pad_token_id), num_query_tokens)
  const mask = add(visible, causalMask(ids, num_query_tokens))
  const text = qformerText(p.at('qformer'), qformer_config, { embeds: captionEmbeds as Value, mask }, cache)
  const logits = captionLogits(p, config, label(text, 'lm_hidden'))

  const padding = int64s([pad_token_id], [])
  const next = reshapeLike(concat([slice(ids, 0, 1), forEachItem(pad_token_id, ids)], 0), ids)
  const labels = where(equal(next, padding), int64s([IGNORED], []), next)
  const options = { classes: vocab_size, labelSmoothing: LABEL_SMOOTHING }
  return asLoss(crossEntropy(logits, labels, options), 'loss_itg')
}

function asLoss(loss: Value, name: string): Value {
  return label(reshape(loss, []), name)
}

/** The noise for `gumbel.images` and `gumbel.texts`; `random` draws uniform numbers in [0, 1). */
export function gumbelNoise(count: number, random: () => number): Float32Array {
  return Float32Array.from({ length: count }, () => -Math.log(-Math.log(random())))
}
