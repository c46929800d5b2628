/**
 * BLIP-2 (Li et al. 2023): a frozen image encoder, the Q-Former, one linear map, a frozen language model.
 * Reference: Blip2ForConditionalGeneration, transformers 4.27.1; names as in the Hugging Face checkpoints.
 *
 * Each function below builds one graph that is run on its own: `imageGraph` once per image, `promptGraph` once per image and
 * prompt, `stepGraph` once per new token; `questionGraph` once per question, where the Q-Former reads it. Names of their inputs and outputs are those of the interfaces returned here.
 */
import { type Dim, input, label, type Value } from '../graph/index.ts'
import { emptyCache, graphCache, type KeyValueCache, linear, type Params } from '../nn/index.ts'
import { concat, gather, indicesAlong, reshape } from '../ops/index.ts'
import type { Blip2Config, OptConfig, T5Config } from './config.ts'
import { imageEncoder } from './image-encoder.ts'
import { behindQueries, paddingMask } from './masks.ts'
import { optDecoder, optEmbedding, optHead } from './opt.ts'
import { type ImageBatch, qformer, qformerEmbedding, qformerReadingText } from './qformer.ts'
import { t5CrossKeyValues, t5Decoder, t5Embedding, t5Encoder, t5Head } from './t5.ts'

/** Graph output name → value. */
export type Graph = Readonly<Record<string, Value>>

/**
 * pixel_values (batch, 3, image_size, image_size) → query_output (queries, batch, Q-Former's hidden_size); query_embeds (queries, batch,
 * language model's hidden size). Where the Q-Former reads questions also image_embeds (patches, batch, encoder's hidden_size).
 */
export function imageGraph(p: Params, config: Blip2Config): Graph {
  const { num_channels, image_size } = config.vision_config
  const pixelValues = input('pixel_values', 'float32', ['batch', num_channels, image_size, image_size])
  const image = imageEncoder(p, config.vision_config, pixelValues)
  const queries = qformer(p.at('qformer'), config.qformer_config, queryTokens(p, config), image)
  return {
    ...projected(p, config, label(queries, 'qformer.last_hidden_state')),
    ...(config.qformer_reads_question && { image_embeds: image }),
  }
}

/**
 * Questions about one image. image_embeds (patches, 1, encoder's hidden_size), question_ids (question, batch), padded at the end →
 * query_output (queries, batch, Q-Former's hidden_size); query_embeds (queries, batch, language model's hidden size).
 */
export function questionGraph(p: Params, config: Blip2Config): Graph {
  const image = input('image_embeds', 'float32', ['patches', 1, config.vision_config.hidden_size])
  return projected(p, config, label(queriesWithQuestion(p, config, image, 'batch'), 'query_output'))
}

/**
 * The queries that have seen image and question, a further input: question_ids (question, batch), padded at the end with the Q-Former's
 * pad_token_id. Of a text that is padding alone they see nothing: they are those of `qformer`.
 */
export function queriesWithQuestion(p: Params, config: Blip2Config, images: Value | ImageBatch, batch: Dim): Value {
  const { qformer_config, num_query_tokens } = config
  const ids = input('question_ids', 'int64', ['question', batch])
  const positions = reshape(indicesAlong(ids, 0), ['question', 1])
  const embeds = qformerEmbedding(p.at('embeddings'), qformer_config, ids, positions)
  const mask = behindQueries(paddingMask(ids, qformer_config.pad_token_id), num_query_tokens)
  return qformerReadingText(p.at('qformer'), qformer_config, queryTokens(p, config), images, { embeds, mask })
}

export function queryTokens(p: Params, { qformer_config, num_query_tokens }: Blip2Config): Value {
  return p.get('query_tokens', [1, num_query_tokens, qformer_config.hidden_size])
}

function projected(p: Params, config: Blip2Config, queries: Value): Graph {
  return {
    query_output: queries,
    query_embeds: linear(p.at('language_projection'), queries, languageSize(config)),
  }
}

/** Width of the language model's token embeddings. */
export function languageSize({ text_config }: Blip2Config): number {
  return text_config.model_type === 'opt' ? text_config.hidden_size : text_config.d_model
}

/**
 * Reads the queries and the prompt into the cache.
 * query_embeds (queries, batch, size), input_ids (tokens, batch) → present.* (their keys and values).
 * OPT also takes positions (queries + tokens, batch) and mask (batch, 1, queries + tokens, queries + tokens), and returns the
 * logits (read, batch, vocab) of the positions `read` (read). T5 encodes: it takes mask (batch, 1, 1, queries + tokens).
 */
export function promptGraph(p: Params, config: Blip2Config): Graph {
  const cache = emptyCache()
  const lm = p.at('language_model')
  const queries = config.num_query_tokens
  const queryEmbeds = input('query_embeds', 'float32', [queries, 'batch', languageSize(config)])
  const inputIds = input('input_ids', 'int64', ['tokens', 'batch'])
  const { text_config } = config
  switch (text_config.model_type) {
    case 'opt': {
      const embeds = concat([queryEmbeds, optEmbedding(lm, text_config, inputIds)], 0)
      const length = embeds.shape[0] as Dim
      return { ...optGraph(lm, text_config, embeds, ['batch', 1, length, length], cache), ...cache.outputs }
    }
    case 't5': {
      const embeds = concat([queryEmbeds, t5Embedding(lm, text_config, inputIds)], 0)
      const length = embeds.shape[0] as Dim
      const mask = input('mask', 'float32', ['batch', 1, 1, length])
      const encoded = t5Encoder(lm, text_config, { embeds, positions: input('positions', 'int64', [length]), mask })
      t5CrossKeyValues(lm, text_config, encoded, cache)
      return cache.outputs
    }
  }
}

/**
 * Reads tokens behind what the cache holds. input_ids (tokens, batch), past.* → present.*, logits (read, batch, vocab) of
 * the tokens `read` (read). mask (batch, 1, tokens, past + tokens) says which earlier token each one continues: the tokens of a
 * batch item may be a sequence (a prompt) or the leaves of a tree (beams that share a prefix).
 * OPT: positions (tokens, batch). T5: positions (tokens), key_positions (past + tokens), source_mask (batch, 1, 1, source).
 */
export function stepGraph(p: Params, config: Blip2Config): Graph {
  const cache = graphCache()
  const lm = p.at('language_model')
  const inputIds = input('input_ids', 'int64', ['tokens', 'batch'])
  const maskShape = ['batch', 1, 'tokens', 'past+tokens']
  const { text_config } = config
  switch (text_config.model_type) {
    case 'opt': {
      const embeds = optEmbedding(lm, text_config, inputIds)
      return { ...optGraph(lm, text_config, embeds, maskShape, cache), ...cache.outputs }
    }
    case 't5':
      return { ...t5StepGraph(lm, text_config, inputIds, maskShape, cache), ...cache.outputs }
  }
}

function optGraph(p: Params, config: OptConfig, embeds: Value, maskShape: Dim[], cache: KeyValueCache): Graph {
  const positions = input('positions', 'int64', embeds.shape.slice(0, 2))
  const mask = input('mask', 'float32', maskShape)
  const hidden = optDecoder(p, config, { embeds, positions, mask }, cache)
  return { logits: optHead(p, config, gather(hidden, input('read', 'int64', ['read']))) }
}

function t5StepGraph(p: Params, config: T5Config, ids: Value, maskShape: Dim[], cache: KeyValueCache): Graph {
  const hidden = t5Decoder(
    p,
    config,
    {
      embeds: t5Embedding(p, config, ids),
      positions: input('positions', 'int64', ['tokens']),
      keyPositions: input('key_positions', 'int64', ['past+tokens']),
      mask: input('mask', 'float32', maskShape),
      sourceMask: input('source_mask', 'float32', ['batch', 1, 1, 'source']),
    },
    cache,
  )
  return { logits: t5Head(p, config, gather(hidden, input('read', 'int64', ['read']))) }
}

/** Weights that a file may hold under another name: older and newer files keep different names of one tied tensor. */
export const tiedNames: Readonly<Record<string, readonly string[]>> = {
  'language_model.model.decoder.embed_tokens.weight': ['language_model.lm_head.weight'],
  'language_model.shared.weight': [
    'language_model.encoder.embed_tokens.weight',
    'language_model.decoder.embed_tokens.weight',
  ],
}
