/** What all tasks share: pixels → query embeddings → generated tokens, one call at a time on one device. */
import { DataError } from '../errors.ts'
import type { Decoder } from '../generation/decoder.ts'
import { generate, streamGenerate } from '../generation/generate.ts'
import { type GenerationOptions, type TokenIds, validateOptions } from '../generation/options.ts'
import type { GeneratedSequence, StreamedToken } from '../generation/sequence.ts'
import type { Blip2Config } from '../models/config.ts'
import type { Cache, Tensor } from '../runtime/device.ts'
import { createDecoder } from './decoder.ts'
import { GenerationImage } from './image.ts'
import { asMatrix, float32, int64, splitItems, transposed } from './layout.ts'
import { createLock } from './lock.ts'
import type { TextTokens } from './matching/engine.ts'
import { rightPadded } from './padding.ts'
import { otherModel } from './read-images.ts'
import type { Sessions } from './sessions.ts'

/** An image and the token ids of the prompt that follows it. */
export interface Prompted {
  readonly image: GenerationImage
  readonly prompt: readonly number[]
}

/** An image and the token ids of a question about it, in the words of the Q-Former. */
export interface Questioned {
  readonly image: GenerationImage
  readonly question: TextTokens
}

export interface Engine {
  /** Normalised pixels (batch, 3, size, size) → one encoded image per batch item. */
  encode(pixels: Float32Array, batch: number, signal?: AbortSignal): Promise<GenerationImage[]>
  /**
   * The images as the Q-Former sees them with their questions, for `generate`; the questions about one image are read together. Throws
   * ConfigError for images of a model whose Q-Former reads none.
   */
  ask(items: readonly Questioned[], signal?: AbortSignal): Promise<GenerationImage[]>
  /** Sequences per item, best first. */
  generate(items: readonly Prompted[], options: GenerationOptions, signal?: AbortSignal): Promise<GeneratedSequence[][]>
  /** The tokens of one item as they come. */
  stream(
    item: Prompted,
    options: GenerationOptions,
    signal?: AbortSignal,
  ): AsyncGenerator<StreamedToken, GeneratedSequence[][]>
  dispose(): Promise<void>
}

export function createEngine(sessions: Sessions): Engine {
  const { device, config } = sessions
  const ids = tokenIds(config)
  const acquire = createLock()
  /** Keys and values of the last batch; `image` when they begin with the queries of a single image. */
  let kept: { readonly cache: Cache; image?: GenerationImage } | undefined

  /** A decoder over the items. A further prompt about the image of the last one continues behind its cached queries. */
  async function openDecoder(items: readonly Prompted[]): Promise<Decoder> {
    const prompted = items.map(({ image, prompt }) => ({ queryEmbeds: image.queryEmbeds, prompt }))
    const single = items.length === 1 ? items[0]?.image : undefined
    if (kept?.image !== undefined && kept.image === single) {
      await kept.cache.rewind(config.num_query_tokens)
      return createDecoder(sessions, prompted, { cache: kept.cache, queriesCached: true })
    }
    await kept?.cache.dispose()
    const current: typeof kept = { cache: device.createCache(sessions.cacheShapes(items.length)) }
    kept = current
    const decoder = createDecoder(sessions, prompted, { cache: current.cache, queriesCached: false })
    if (single === undefined || config.text_config.model_type !== 'opt') return decoder
    return {
      ...decoder,
      async prefill() {
        const logits = await decoder.prefill()
        current.image = single
        return logits
      },
    }
  }

  async function readQuestions({ imageEmbeds }: GenerationImage, questions: readonly TextTokens[]) {
    if (!sessions.question || !imageEmbeds) throw otherModel()
    const { items, tokens, ids } = rightPadded(questions, config.qformer_config.pad_token_id)
    const session = await sessions.question(items)
    const question_ids = int64(transposed(ids, items, tokens), [tokens, items])
    return toImages(await session.run({ image_embeds: imageEmbeds, question_ids }))
  }

  return {
    async encode(pixels, batch, signal) {
      const release = await acquire()
      try {
        signal?.throwIfAborted()
        const size = config.vision_config.image_size
        const session = await sessions.image()
        return toImages(await session.run({ pixel_values: float32(pixels, [batch, 3, size, size]) }))
      } finally {
        release()
      }
    },

    async ask(items, signal) {
      const release = await acquire()
      try {
        const asked: GenerationImage[] = []
        for (const [image, places] of placesByImage(items)) {
          signal?.throwIfAborted()
          const found = await readQuestions(
            image,
            places.map((place) => (items[place] as Questioned).question),
          )
          for (const [i, place] of places.entries()) asked[place] = found[i] as GenerationImage
        }
        return asked
      } finally {
        release()
      }
    },

    async generate(items, options, signal) {
      const release = await acquire()
      try {
        const settings = fitted(config, items, options)
        return await generate(await openDecoder(items), settings, ids, { signal })
      } finally {
        release()
      }
    },

    async *stream(item, options, signal) {
      const release = await acquire()
      try {
        const settings = fitted(config, [item], options)
        return yield* streamGenerate(await openDecoder([item]), settings, ids, { signal })
      } finally {
        release()
      }
    },

    dispose: () => device.dispose(),
  }
}

function toImages({ query_output, query_embeds, image_embeds }: Record<string, Tensor>): GenerationImage[] {
  const queries = splitItems(query_output as Tensor).map(asMatrix)
  const images = image_embeds && splitItems(image_embeds)
  return splitItems(query_embeds as Tensor).map((one, i) => new GenerationImage(queries[i] as Tensor, one, images?.[i]))
}

function placesByImage(items: readonly Questioned[]): Map<GenerationImage, number[]> {
  const places = new Map<GenerationImage, number[]>()
  for (const [place, { image }] of items.entries()) places.set(image, [...(places.get(image) ?? []), place])
  return places
}

function tokenIds({ text_config }: Blip2Config): TokenIds {
  return {
    startTokenId: text_config.model_type === 'opt' ? text_config.bos_token_id : text_config.decoder_start_token_id,
    eosTokenIds: text_config.eos_token_id,
    padTokenId: text_config.pad_token_id,
  }
}

/**
 * The options with no more new tokens than the language model has positions for. OPT has a fixed number of them; T5 counts
 * distances and has no such limit. Only a single item is cut short: in a batch, each must get what it would get alone.
 */
function fitted(
  { text_config, num_query_tokens }: Blip2Config,
  items: readonly Prompted[],
  options: GenerationOptions,
): GenerationOptions {
  if (text_config.model_type !== 'opt') return options
  const most = text_config.max_position_embeddings
  const longest = Math.max(...items.map(({ prompt }) => prompt.length))
  const room = most - num_query_tokens - longest
  const { maxNewTokens, minNewTokens } = validateOptions(options)
  if (maxNewTokens <= room) return options
  if (items.length === 1 && room >= Math.max(1, minNewTokens)) return { ...options, maxNewTokens: room }
  throw new DataError(
    `prompt: ${longest} tokens, and ${num_query_tokens} for the image; the language model reads at most ${most}, ` +
      `which leaves ${Math.max(0, room)} new tokens; shorten the prompt or ask for fewer`,
  )
}
