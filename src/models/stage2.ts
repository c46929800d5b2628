/**
 * The objective of the second stage (Li et al. 2023, section 3.3): a frozen language model reads the projected queries as soft prompts, and
 * the Q-Former learns what to say to it. Reference: Blip2OPT.forward and Blip2T5.forward, LAVIS 506965b, without the dropout that they leave on.
 */
import { type Dim, input, int64s, label, type Value } from '../graph/index.ts'
import {
  countsAsLabel,
  crossEntropy,
  IGNORED,
  linear,
  type Params,
  sharedCache,
  someTokens,
  untilLast,
} from '../nn/index.ts'
import { concat, equal, indicesAlong, repeatAxis, reshape, split, where } from '../ops/index.ts'
import { languageSize, queriesWithQuestion, queryTokens } from './blip2.ts'
import type { Blip2Config, OptConfig, T5Config } from './config.ts'
import { normParams } from './image-encoder.ts'
import { behindQueries, causalMask, paddingMask } from './masks.ts'
import { nextTokenLoss, optEmbedding } from './opt.ts'
import { qformer, seenBeforeNorm } from './qformer.ts'
import { t5CrossKeyValues, t5Decoder, t5Embedding, t5Encoder, t5Head } from './t5.ts'

/**
 * The loss of a batch, of shape (): cross-entropy without smoothing, the mean over all labels but those of -100. `image` as in `stage1Graph`.
 * Further inputs of the graph, texts padded at the end:
 *
 * - OPT: input_ids (tokens, batch): bos, the text, the end token; labels (tokens, batch): the same with -100 for padding and for a prompt. A
 *   label is predicted by the token before it, that of bos by the last query, as LAVIS has it.
 * - T5: input_ids (tokens, batch): the prompt, which the encoder reads behind the queries, padded with pad_token_id; labels (targets, batch):
 *   what the decoder is to say, -100 for padding.
 * - with `qformer_reads_question` (section 4.3, fine-tuning for answers; LAVIS has not released it): question_ids, as in
 *   `queriesWithQuestion`.
 */
export function stage2Graph(p: Params, config: Blip2Config, image: Value): { readonly loss: Value } {
  const { text_config } = config
  const queries = label(readQueries(p, config, image), 'query_output')
  const prompt = linear(p.at('language_projection'), queries, languageSize(config))
  const lm = p.at('language_model')
  switch (text_config.model_type) {
    case 'opt':
      return { loss: optLoss(lm, text_config, prompt) }
    case 't5':
      return { loss: t5Loss(lm, text_config, prompt) }
  }
}

/** The queries that have seen the image, and the question if there is one (queries, batch, hidden_size). */
function readQueries(p: Params, config: Blip2Config, image: Value): Value {
  const images = seenBeforeNorm(normParams(p), image, config.vision_config.post_layernorm_eps)
  if (config.qformer_reads_question) return queriesWithQuestion(p, config, images, image.shape[1] as Dim)
  return qformer(p.at('qformer'), config.qformer_config, queryTokens(p, config), images)
}

/** Language modelling behind the queries, of which the last one predicts the first token. */
function optLoss(p: Params, config: OptConfig, prompt: Value): Value {
  const [queries, batch] = prompt.shape as [number, Dim]
  const ids = input('input_ids', 'int64', ['tokens', batch])
  const labels = input('labels', 'int64', ids.shape)
  const [read] = split(ids, ['tokens-1', 1], 0) as [Value] // The last token predicts nothing, and nothing sees it.
  const embeds = concat([prompt, optEmbedding(p, config, read)], 0)
  return nextTokenLoss(p, config, embeds, concat([forQueries(IGNORED, queries - 1, ids), labels], 0))
}

/** Prefix language modelling: the encoder reads queries and prompt, the decoder says the rest. Nothing is computed for padding. */
function t5Loss(p: Params, config: T5Config, prompt: Value): Value {
  const [queries, batch] = prompt.shape as [number, Dim]
  const ids = input('input_ids', 'int64', ['tokens', batch])
  const embeds = concat([prompt, t5Embedding(p, config, ids)], 0)
  const sourceMask = behindQueries(paddingMask(ids, config.pad_token_id), queries)
  const isRead = where(equal(ids, int64s([config.pad_token_id], [])), int64s([0], []), int64s([1], []))
  const read = someTokens(concat([forQueries(1, queries, ids), isRead], 0), 'rows')
  const source = t5Encoder(p, config, { embeds, positions: indicesAlong(embeds, 0), mask: sourceMask, rows: read })
  const cache = sharedCache()
  t5CrossKeyValues(p, config, source, cache, read)

  const labels = input('labels', 'int64', ['targets', batch])
  const places = indicesAlong(labels, 0)
  const rows = someTokens(untilLast(countsAsLabel(labels)), 'predicting')
  const said = t5Embedding(p, config, shiftedRight(labels, config))
  const decoder = { embeds: said, positions: places, keyPositions: places, mask: causalMask(labels), sourceMask, rows }
  const logits = t5Head(p, config, t5Decoder(p, config, decoder, cache))
  return label(reshape(crossEntropy(logits, rows.pick(labels), { classes: config.vocab_size }), []), 'loss')
}

/** A number for each query, (queries, batch) int64, where ids are (tokens, batch). */
function forQueries(value: number, queries: number, ids: Value): Value {
  return repeatAxis(int64s(new Array<number>(queries).fill(value), [queries, 1]), 1, ids, 1)
}

/** What the decoder has said before each label: the start token, then the labels but the last. */
function shiftedRight(labels: Value, { decoder_start_token_id, pad_token_id }: T5Config): Value {
  const start = repeatAxis(int64s([decoder_start_token_id], [1, 1]), 1, labels, 1)
  const [said] = split(concat([start, labels], 0), [labels.shape[0] as Dim, 1], 0) as [Value, Value]
  return where(equal(said, int64s([IGNORED], [])), int64s([pad_token_id], []), said)
}
