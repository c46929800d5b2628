/**
 * How an image encoder and a language model are made where none is given: objectives that are not BLIP-2's own. The encoder learns by
 * contrast with a text encoder that is thrown away (CLIP, Radford et al. 2021), the language model by predicting the next token.
 */
import { type Dim, input, int64s, label, type Value } from '../graph/index.ts'
import { IGNORED, linear, type Params } from '../nn/index.ts'
import { div, equal, indicesAlong, matmul, reduceMean, reshape, slice, split, swapLast, where } from '../ops/index.ts'
import type { OptConfig, RetrievalConfig } from './config.ts'
import { imageNorm } from './image-encoder.ts'
import { paddingMask } from './masks.ts'
import { nextTokenLoss, optEmbedding } from './opt.ts'
import { qformerEmbedding, qformerText } from './qformer.ts'
import { firstToken, normalised, temperature } from './retrieval.ts'
import { contrastiveLoss } from './stage1.ts'

/** Begins the names of what only the training needs. */
export const SCAFFOLD = 'contrastive'

/**
 * image (patches, batch, hidden_size): the image encoder's output without the norm. input_ids (tokens, batch), padded at the end, image_ids (batch), as in
 * `stage1Graph`. A picture is the mean of its patches, a text the first token of a BERT of the Q-Former's size.
 */
export function contrastiveGraph(p: Params, config: RetrievalConfig, image: Value): { readonly loss: Value } {
  const { qformer_config, image_text_hidden_size, vision_config } = config
  const scaffold = p.at(SCAFFOLD)
  const ids = input('input_ids', 'int64', ['tokens', image.shape[1] as Dim])
  const positions = reshape(indicesAlong(ids, 0), [ids.shape[0] as Dim, 1])
  const embeds = qformerEmbedding(scaffold.at('embeddings'), qformer_config, ids, positions)
  const mask = paddingMask(ids, qformer_config.pad_token_id)
  const text = qformerText(scaffold.at('text_model'), qformer_config, { embeds, mask })

  const patches = imageNorm(p, vision_config, image)
  const project = (name: string, x: Value) => normalised(linear(scaffold.at(name), x, image_text_hidden_size))
  const imageFeature = firstToken(project('vision_projection', reduceMean(patches, [0])))
  const textFeature = firstToken(project('text_projection', slice(text, 0, 0, 1)))
  const batch = ids.shape[1] as Dim
  const imageIds = input('image_ids', 'int64', [batch])
  const same = equal(reshape(imageIds, [batch, 1]), reshape(imageIds, [1, batch]))
  const cosines = matmul(imageFeature, swapLast(textFeature))
  const similarity = label(div(cosines, temperature(scaffold)), 'sim_i2t')
  return { loss: label(contrastiveLoss({ similarity, same }), 'loss') }
}

/** Next-token prediction. input_ids (tokens, batch): bos, the text, the end token, padded at the end. `p` is the language model's. */
export function languageModelGraph(p: Params, config: OptConfig): { readonly loss: Value } {
  const ids = input('input_ids', 'int64', ['tokens', 'batch'])
  const next = slice(ids, 0, 1)
  const labels = where(equal(next, int64s([config.pad_token_id], [])), int64s([IGNORED], []), next)
  const [read] = split(ids, ['tokens-1', 1], 0) as [Value]
  return { loss: nextTokenLoss(p, config, optEmbedding(p, config, read), labels) }
}
