/** What the tasks of a first-stage model share: pixels and tokens → features, similarities, match logits, captions; one call at a time. */
import { ConfigError } from '../../errors.ts'
import { generate } from '../../generation/generate.ts'
import { type GenerationOptions, validateOptions } from '../../generation/options.ts'
import type { GeneratedSequence } from '../../generation/sequence.ts'
import type { RetrievalConfig } from '../../models/config.ts'
import type { Tensor } from '../../runtime/device.ts'
import { MatchingImage } from '../image.ts'
import { asMatrix, firstRowsOf, float32, joinItems, rowsOf, splitItems } from '../layout.ts'
import { createLock } from '../lock.ts'
import { captionDecoder } from './caption-decoder.ts'
import type { CaptionSessions, MatchingSessions } from './sessions.ts'
import { batchesByLength, textInputs } from './texts.ts'

/** Token ids of a text, with [CLS] and [SEP]. */
export type TextTokens = readonly number[]

/** A text alone. Both tensors have a row for every token. */
export interface EncodedText {
  /** (tokens, hidden_size). */
  readonly output: Tensor
  /** (tokens, image_text_hidden_size), every row of length 1. The first one, [CLS], is what images are compared with. */
  readonly projected: Tensor
}

/** Of no match and of match, each the mean over the queries. */
export type MatchLogits = readonly [no: number, yes: number]

/** Special tokens. [DEC] begins a caption, [SEP] ends it. */
export interface TokenNames {
  readonly padId: number
  readonly sepId: number
  readonly decId: number
}

/** How a long list is computed. */
export interface BatchOptions {
  /** Texts, or pairs, that are computed together. Default 32. */
  readonly batch?: number | undefined
  /** Checked between the batches; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface MatchingEngine {
  readonly config: RetrievalConfig
  /** Whether the model has a captioning head. */
  readonly captions: boolean
  /** Normalised pixels (batch, 3, size, size) → one encoded image per batch item. */
  encode(pixels: Float32Array, batch: number, signal?: AbortSignal): Promise<MatchingImage[]>
  /** Every text alone. */
  encodeTexts(texts: readonly TextTokens[], options?: BatchOptions): Promise<EncodedText[]>
  /** What images are compared with: (image_text_hidden_size) of each text, of length 1. */
  textFeatures(texts: readonly TextTokens[], options?: BatchOptions): Promise<Float32Array[]>
  /** Several texts with one image. imageEmbeds: (patches, 1, encoder's hidden_size). */
  match(imageEmbeds: Tensor, texts: readonly TextTokens[], options?: BatchOptions): Promise<MatchLogits[]>
  /** Every text with an image of its own: (queries, hidden_size), the queries' output, which has seen both. */
  multimodal(imageEmbeds: readonly Tensor[], texts: readonly TextTokens[], options?: BatchOptions): Promise<Tensor[]>
  /** Images (images, queries, size), texts (texts, size) → (images, texts): the best query's cosine. */
  similarities(images: Tensor, texts: Tensor, signal?: AbortSignal): Promise<Float32Array>
  /** Captions of each image, best first. Throws ConfigError where `captions` is false. */
  caption(
    images: readonly MatchingImage[],
    options: GenerationOptions,
    signal?: AbortSignal,
  ): Promise<GeneratedSequence[][]>
  dispose(): Promise<void>
}

export function createMatchingEngine(sessions: MatchingSessions, tokens: TokenNames): MatchingEngine {
  const { device, config } = sessions
  const { num_query_tokens, qformer_config } = config
  const acquire = createLock()

  /** Alone on the device, unless the signal has aborted by then. */
  async function exclusively<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const release = await acquire()
    try {
      signal?.throwIfAborted()
      return await work()
    } finally {
      release()
    }
  }

  /** Runs `run` on batches of similar length; the results are in the order of the texts. */
  async function inBatches<T>(
    texts: readonly TextTokens[],
    { batch = 32, signal }: BatchOptions,
    run: (texts: readonly TextTokens[], places: readonly number[]) => Promise<readonly T[]>,
  ): Promise<T[]> {
    const results = new Array<T>(texts.length)
    for (const places of batchesByLength(texts, batch)) {
      const some = places.map((place) => texts[place] as TextTokens)
      const found = await exclusively(signal, () => run(some, places))
      places.forEach((place, i) => {
        results[place] = found[i] as T
      })
    }
    return results
  }

  async function textOutputs(texts: readonly TextTokens[], outputs: readonly string[]): Promise<Tensor[]> {
    const inputs = textInputs(texts, tokens.padId)
    const session = await sessions.text(inputs.input_ids.data.length)
    const results = await session.run(inputs, { outputs })
    return outputs.map((name) => results[name] as Tensor)
  }

  async function generateCaptions(
    caption: CaptionSessions,
    images: readonly MatchingImage[],
    options: GenerationOptions,
    signal: AbortSignal | undefined,
  ): Promise<GeneratedSequence[][]> {
    const cache = device.createCache(caption.cacheShapes(images.length))
    try {
      const embeds = images.map(({ imageEmbeds }) => imageEmbeds)
      const start = { queries: num_query_tokens, startTokenId: tokens.decId, cache }
      const decoder = captionDecoder(caption, qformer_config, embeds, start)
      const ids = { startTokenId: tokens.decId, eosTokenIds: [tokens.sepId], padTokenId: tokens.padId }
      return await generate(decoder, fitted(options), ids, { signal })
    } finally {
      await cache.dispose()
    }
  }

  /** No more new tokens than the Q-Former has positions for. */
  function fitted(options: GenerationOptions): GenerationOptions {
    const { maxNewTokens } = validateOptions(options)
    return { ...options, maxNewTokens: Math.min(maxNewTokens, qformer_config.max_position_embeddings) }
  }

  return {
    config,
    captions: sessions.caption !== undefined,

    encode: (pixels, batch, signal) =>
      exclusively(signal, async () => {
        const { image_size } = config.vision_config
        const session = await sessions.image()
        const outputs = await session.run({ pixel_values: float32(pixels, [batch, 3, image_size, image_size]) })
        const split = (name: string) => splitItems(outputs[name] as Tensor)
        const [queries, features] = [split('query_output'), split('image_feats')]
        return split('image_embeds').map(
          (embeds, i) => new MatchingImage(asMatrix(queries[i] as Tensor), asMatrix(features[i] as Tensor), embeds),
        )
      }),

    encodeTexts: (texts, options = {}) =>
      inBatches(texts, options, async (some) => {
        const [outputs, features] = (await textOutputs(some, ['text_output', 'text_feats'])).map(splitItems)
        return some.map(({ length }, i) => ({
          output: firstRowsOf(asMatrix(outputs?.[i] as Tensor), length),
          projected: firstRowsOf(asMatrix(features?.[i] as Tensor), length),
        }))
      }),

    textFeatures: (texts, options = {}) =>
      inBatches(texts, options, async (some) => rowsOf((await textOutputs(some, ['text_feat']))[0] as Tensor)),

    match: (image, texts, options = {}) =>
      inBatches(texts, options, async (some) => {
        const session = await sessions.match('one', some.length)
        const inputs = { ...textInputs(some, tokens.padId, num_query_tokens), image_embeds: image }
        const { itm_logits } = await session.run(inputs, { outputs: ['itm_logits'] })
        return rowsOf(itm_logits as Tensor).map(([no, yes]) => [no as number, yes as number] as const)
      }),

    multimodal: (images, texts, options = {}) =>
      inBatches(texts, options, async (some, places) => {
        const their = places.map((place) => images[place] as Tensor)
        const one = their.every((image) => image === their[0])
        const session = await sessions.match(one ? 'one' : 'each', some.length)
        const image = one ? (their[0] as Tensor) : joinItems(their)
        const inputs = { ...textInputs(some, tokens.padId, num_query_tokens), image_embeds: image }
        const { multimodal_embeds } = await session.run(inputs, { outputs: ['multimodal_embeds'] })
        return splitItems(multimodal_embeds as Tensor).map(asMatrix)
      }),

    similarities: (images, texts, signal) =>
      exclusively(signal, async () => {
        if (images.shape[0] === 0 || texts.shape[0] === 0) return new Float32Array(0) // a product of no rows ends the process
        const session = await sessions.similarity()
        return (await session.run({ image_feats: images, text_feat: texts })).itc?.data as Float32Array
      }),

    async caption(images, options, signal) {
      const { caption } = sessions
      if (!caption) throw new ConfigError('caption: this model has no captioning head')
      return exclusively(signal, () => generateCaptions(caption, images, options, signal))
    },

    dispose: () => device.dispose(),
  }
}
