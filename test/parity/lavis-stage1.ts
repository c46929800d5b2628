/** The first stage's graphs, by the names of the reference's tensors. */
import { input, labelled, type Target, type Value } from '../../src/graph/index.ts'
import type { RetrievalConfig } from '../../src/models/config.ts'
import { qformerEmbedding, qformerWithText } from '../../src/models/qformer.ts'
import {
  captionPromptGraph,
  captionStepGraph,
  imageFeaturesGraph,
  matchGraph,
  queryCosines,
  similarityGraph,
  temperature,
  textFeaturesGraph,
} from '../../src/models/retrieval.ts'
import type { Params } from '../../src/nn/index.ts'
import { concat, div, swapLast } from '../../src/ops/index.ts'
import { evaluate, type Results } from '../support/evaluate.ts'
import type { Reference } from '../support/reference.ts'
import { floats, longs, numbers, type Tensor } from '../support/tensors.ts'
import type { Named } from './compare.ts'
import { batchFirst, find, range, rows, sequenceFirst } from './layout.ts'

export interface StageOneRun {
  readonly params: Params
  readonly config: RetrievalConfig
  readonly target: Target
}

/** A batch of padded texts, batch first, int64. */
interface Texts {
  readonly ids: Tensor
  /** 1 for a token, 0 for padding. */
  readonly mask: Tensor
}

/** The hard negatives that the reference drew, for each item of the batch. */
interface Negatives {
  readonly neg_image_for_text: readonly number[]
  readonly neg_text_for_image: readonly number[]
}

/** Everything that the reference keeps of a forward pass. */
export async function stageOneOutputs(run: StageOneRun, reference: Reference): Promise<Named> {
  const texts = { ids: await reference.tensor('in.input_ids'), mask: await reference.tensor('in.attention_mask') }
  const { forImages, ...image } = await imageOutputs(run, await reference.tensor('in.image'))
  const text = await textOutputs(run, texts)
  const pretrain = {
    ...image,
    ...text,
    ...(await similarities(run, image.image_feats!, text.text_feat!)),
    ...(await captionOutputs(run, forImages!, reference)),
    ...(await matchOutputs(run, forImages!, texts, reference.facts.pretrain as Negatives)),
  }
  const image_id = await matchOutputs(run, forImages!, texts, reference.facts.image_id as Negatives)
  return { ...prefixed('pretrain', pretrain), ...prefixed('image_id', image_id) }
}

/** `forImages` are the image_embeds as the other graphs take them. */
async function imageOutputs({ params, config, target }: StageOneRun, pixelValues: Tensor): Promise<Results> {
  const { image_embeds, query_output, image_feats } = imageFeaturesGraph(params, config) as Record<string, Value>
  const outputs = {
    forImages: image_embeds!,
    image_embeds: batchFirst(image_embeds!),
    query_output: batchFirst(query_output!),
    image_feats: batchFirst(image_feats!),
  }
  return evaluate(outputs, { pixel_values: pixelValues }, target)
}

async function textOutputs({ params, config, target }: StageOneRun, texts: Texts): Promise<Results> {
  const { text_output, text_feat } = textFeaturesGraph(params, config) as Record<string, Value>
  return evaluate({ text_output: batchFirst(text_output!), text_feat: text_feat! }, textFeeds(texts, 0), target)
}

/** With the temperature, as in training; from images to texts and the other way round. */
async function similarities(run: StageOneRun, imageFeats: Tensor, textFeat: Tensor): Promise<Results> {
  const { params, config, target } = run
  const { num_query_tokens, image_text_hidden_size } = config
  const image = input('image_feats', 'float32', ['images', num_query_tokens, image_text_hidden_size])
  const text = input('text_feat', 'float32', ['texts', image_text_hidden_size])
  const itc = div(similarityGraph(config).itc!, temperature(params))
  const feeds = { image_feats: imageFeats, text_feat: textFeat }
  return {
    ...(await evaluate({ sim_q2t: swapLast(queryCosines(image, text)) }, feeds, target)),
    ...(await evaluate({ sim_i2t: itc, sim_t2i: swapLast(itc) }, feeds, target)),
  }
}

/** Images [all, negatives, all] with texts [all, all, negatives]. */
async function matchOutputs(
  { params, config, target }: StageOneRun,
  imageEmbeds: Tensor,
  texts: Texts,
  negatives: Negatives,
): Promise<Results> {
  const items = range(texts.ids.shape[0]!)
  const textItems = [...items, ...items, ...negatives.neg_text_for_image]
  const picked = { ids: pickRows(texts.ids, textItems), mask: pickRows(texts.mask, textItems) }
  const feeds = {
    image_embeds: pickItems(imageEmbeds, [...items, ...negatives.neg_image_for_text, ...items]),
    ...textFeeds(picked, config.num_query_tokens),
  }
  const { itm_logits } = matchGraph(params, config, 'batch') as Record<string, Value>
  const tokenLogits = find(labelled([itm_logits!]))('itm_token_logits')
  return {
    ...(await evaluate({ itm_token_logits: batchFirst(tokenLogits), itm_logits: itm_logits! }, feeds, target)),
    ...(await evaluate({ itm_output: batchFirst(matchedRows(params, config)) }, feeds, target)),
  }
}

/** Queries and text, of which the model itself uses the queries alone. */
function matchedRows(params: Params, { vision_config, qformer_config, num_query_tokens }: RetrievalConfig): Value {
  const ids = input('input_ids', 'int64', ['tokens', 'batch'])
  const embeds = qformerEmbedding(
    params.at('embeddings'),
    qformer_config,
    ids,
    input('positions', 'int64', ['tokens', 1]),
  )
  const mask = input('mask', 'float32', ['batch', 1, 1, `tokens+${num_query_tokens}`])
  const images = input('image_embeds', 'float32', ['patches', 'batch', vision_config.hidden_size])
  const queryTokens = params.get('query_tokens', [1, num_query_tokens, qformer_config.hidden_size])
  const { queries, text } = qformerWithText(params.at('qformer'), qformer_config, queryTokens, images, { embeds, mask })
  return concat([queries, text], 0)
}

/** The text read as a whole behind the queries: every token sees them and the text up to itself. */
async function captionOutputs(run: StageOneRun, imageEmbeds: Tensor, reference: Reference): Promise<Results> {
  const { params, config, target } = run
  const ids = await reference.tensor('in.itg_decoder_input_ids')
  const masks = rows(await reference.tensor('in.attention_mask'))
  const [items, tokens] = ids.shape as [number, number]
  const queries = config.num_query_tokens

  const cached = await evaluate(captionPromptGraph(params, config), { image_embeds: imageEmbeds }, target)
  const past = Object.fromEntries(
    Object.entries(cached).map(([name, rows]) => [name.replace('present.', 'past.'), rows]),
  )
  const mask = masks.flatMap((visible) =>
    range(tokens).flatMap((row) => [
      ...Array<number>(queries).fill(0),
      ...visible.map((seen, key) => (seen === 1 && key <= row ? 0 : Number.NEGATIVE_INFINITY)),
    ]),
  )
  const { logits } = captionStepGraph(params, config) as Record<string, Value>
  const last = `qformer.encoder.layer.${config.qformer_config.num_hidden_layers - 1}`
  const hidden = find(labelled([logits!]))(`${last}.output.LayerNorm`)
  return evaluate(
    { lm_hidden: batchFirst(hidden), lm_logits: batchFirst(logits!) },
    {
      ...past,
      input_ids: sequenceFirst(ids),
      positions: longs(
        [tokens, items],
        range(tokens * items).map((at) => Math.floor(at / items)),
      ),
      mask: floats([items, 1, tokens, queries + tokens], mask),
      read: longs([tokens], range(tokens)),
    },
    target,
  )
}

/** For texts behind `queries` rows. */
function textFeeds({ ids, mask }: Texts, queries: number): Results {
  const [items, tokens] = ids.shape as [number, number]
  const hidden = rows(mask).flatMap((visible) => [
    ...Array<number>(queries).fill(0),
    ...visible.map((seen) => (seen === 1 ? 0 : Number.NEGATIVE_INFINITY)),
  ])
  return {
    input_ids: sequenceFirst(ids),
    positions: longs([tokens, 1], range(tokens)),
    mask: floats([items, 1, 1, queries + tokens], hidden),
  }
}

/** Items of int64 (items, tokens). */
function pickRows(tensor: Tensor, items: readonly number[]): Tensor {
  const all = rows(tensor)
  return longs(
    [items.length, tensor.shape[1]!],
    items.flatMap((item) => all[item]!),
  )
}

/** Items of float32 (rows, items, size). */
function pickItems(tensor: Tensor, items: readonly number[]): Tensor {
  const [count, width, size] = tensor.shape as [number, number, number]
  const values = numbers(tensor)
  const picked = range(count).flatMap((row) =>
    items.flatMap((item) => values.slice((row * width + item) * size, (row * width + item + 1) * size)),
  )
  return floats([count, items.length, size], picked)
}

function prefixed(prefix: string, outputs: Named): Named {
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [`${prefix}.${name}`, tensor]))
}
