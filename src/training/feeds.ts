/** Samples with their texts → what the graph of an objective reads. Texts are (tokens, batch), padded at the end. */
import type { Item } from '../data/node-loader.ts'
import type { Blip2Config, OptConfig, T5Config } from '../models/config.ts'
import { gumbelNoise } from '../models/stage1.ts'
import { randomFor } from '../random.ts'
import type { Tensor } from '../runtime/device.ts'
import { float32, int64 } from '../tasks/layout.ts'
import { questionPrompt } from '../tasks/prompts.ts'
import { captionText, questionText } from '../tokenizers/lavis-text.ts'
import type { QformerTokenizer } from '../tokenizers/qformer.ts'
import type { TextTokenizer } from '../tokenizers/tokenizer.ts'

export type Feeds = Record<string, Tensor>

/** Labels of this value do not count. */
const ignored = -100

export interface TextOptions {
  /** Tokens of a text, special ones counted. */
  readonly maxTextLength: number
  /** Before every caption, read and not trained on. */
  readonly prompt: string
}

/**
 * For `stage1Graph` and `contrastiveGraph`. `key` makes the draws of the negatives this batch's own. With `sharedImages`, samples of one
 * image are no negatives of each other.
 */
export function pairFeeds(
  items: readonly Item[],
  tokenizer: QformerTokenizer,
  { maxTextLength }: TextOptions,
  draws: { readonly key: string; readonly sharedImages: boolean },
): Feeds {
  const ids = items.map(({ text }) => tokenizer.encode(captionText(text), maxTextLength))
  const images = items.map(({ sample }) => sample.imageKey ?? sample.key)
  const random = randomFor(`${draws.key}:negatives`)
  const gumbel = () => float32(gumbelNoise(items.length ** 2, random), [items.length, items.length])
  return {
    input_ids: padded(ids, tokenizer.padId),
    image_ids: int64(images.map((image, i) => (draws.sharedImages ? images.indexOf(image) : i))),
    'gumbel.images': gumbel(),
    'gumbel.texts': gumbel(),
  }
}

/** For `languageModelGraph`: each text and a line break, with which OPT ends it (LAVIS, blip2_opt.py). */
export function textFeeds(
  items: readonly Item[],
  tokenizer: TextTokenizer,
  config: OptConfig,
  { maxTextLength }: TextOptions,
): Feeds {
  const ids = items.map(({ text }) => tokenizer.encode(`${text}\n`, { maxLength: maxTextLength }))
  return { input_ids: padded(ids, config.pad_token_id) }
}

/**
 * For `stage2Graph`: captions behind the prompt, answers behind their questions; what is read is not trained on. Captions are cleaned as
 * LAVIS cleans them (blip_processors.py), answers stay as they are.
 */
export function promptedFeeds(
  items: readonly Item[],
  tokenizer: TextTokenizer,
  config: Blip2Config,
  options: TextOptions,
): Feeds {
  const prompts = items.map(({ sample }) =>
    sample.question === undefined ? options.prompt : questionPrompt(config, sample.question),
  )
  const texts = items.map(({ sample, text }) => (sample.question === undefined ? captionText(text) : text.trim()))
  const { text_config } = config
  switch (text_config.model_type) {
    case 'opt':
      return optFeeds(prompts, texts, tokenizer, text_config, options.maxTextLength)
    case 't5':
      return t5Feeds(prompts, texts, tokenizer, text_config, options.maxTextLength)
  }
}

/**
 * For a Q-Former that reads questions, beside the feeds above. A sample without one is padding alone, of which the queries see nothing, as
 * when the model captions.
 */
export function questionFeeds(
  items: readonly Item[],
  tokenizer: QformerTokenizer,
  { qformer_config }: Blip2Config,
  { maxTextLength }: TextOptions,
): Feeds {
  const { pad_token_id } = qformer_config
  const ids = items.map(({ sample: { question } }) =>
    question === undefined ? [pad_token_id] : tokenizer.encode(questionText(question), maxTextLength),
  )
  return { question_ids: padded(ids, pad_token_id) }
}

/**
 * LAVIS, blip2_opt.py: bos, prompt and text and a line break, cut at the end. But where there is a prompt it is cut first, and at its
 * beginning: an answer that is cut off leaves nothing to learn.
 */
function optFeeds(
  prompts: readonly string[],
  texts: readonly string[],
  tokenizer: TextTokenizer,
  config: OptConfig,
  maxLength: number,
): Feeds {
  const rows = texts.map((text, i) => {
    const prompt = prompts[i] as string
    const [bos, ...ids] = tokenizer.encode(prompt === '' ? `${text}\n` : `${prompt} ${text}\n`) as [number, ...number[]]
    const read = prompt === '' ? 0 : tokenizer.encode(prompt).length - 1
    const cut = Math.min(read, Math.max(0, ids.length + 1 - maxLength))
    const kept = [bos, ...ids.slice(cut)].slice(0, maxLength)
    // Without a prompt, bos is learnt too: the last query predicts it.
    return { ids: kept, labels: kept.map((id, at) => (prompt !== '' && at <= read - cut ? ignored : id)) }
  })
  return {
    input_ids: padded(
      rows.map(({ ids }) => ids),
      config.pad_token_id,
    ),
    labels: padded(
      rows.map(({ labels }) => labels),
      ignored,
    ),
  }
}

/** LAVIS, blip2_t5.py: the encoder reads the prompt (alone its end token where there is none), the decoder says the text. */
function t5Feeds(
  prompts: readonly string[],
  texts: readonly string[],
  tokenizer: TextTokenizer,
  config: T5Config,
  maxLength: number,
): Feeds {
  const encode = (text: string) => tokenizer.encode(text, { maxLength })
  return {
    input_ids: padded(prompts.map(encode), config.pad_token_id),
    labels: padded(texts.map(encode), ignored),
  }
}

/** Rows of ids → int64 (longest, rows). */
function padded(rows: readonly (readonly number[])[], filler: number): Tensor {
  const tokens = Math.max(...rows.map((row) => row.length))
  const flat = Array.from({ length: tokens * rows.length }, (_, at) => {
    const row = rows[at % rows.length] as readonly number[]
    return row[Math.floor(at / rows.length)] ?? filler
  })
  return int64(flat, [tokens, rows.length])
}
