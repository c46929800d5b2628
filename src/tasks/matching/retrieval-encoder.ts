import type { ImageInput, MatchingImage } from '../image.ts'
import { float32 } from '../layout.ts'
import type { ReadImageOptions } from '../read-images.ts'
import type { EncodeOptions, EncodeTextOptions, RetrievalEncoder } from '../retrieval/encoder.ts'
import type { MatchingEngine, TextTokens } from './engine.ts'

/** Tokens of the longest text in retrieval unless told, 3 more than elsewhere. LAVIS 506965b, compute_sim_matrix of blip2.py. */
const usualTextLength = 35

/** What retrieval needs, of an engine. What is asked for in one call is one batch: retrieval decides how much that is. */
export function retrievalEncoder(
  engine: MatchingEngine,
  encodeAll: (images: readonly ImageInput[], options: ReadImageOptions) => Promise<MatchingImage[]>,
  readText: (text: string, maxLength: number) => TextTokens,
): RetrievalEncoder {
  const { vision_config, qformer_config, num_query_tokens, image_text_hidden_size } = engine.config
  const { image_size, patch_size, hidden_size } = vision_config
  const patches = 1 + (image_size / patch_size) ** 2
  const longest = Math.min(usualTextLength, qformer_config.max_position_embeddings)
  return {
    queries: num_query_tokens,
    embedSize: image_text_hidden_size,
    patches,
    hiddenSize: hidden_size,

    async encodeImages(images, options = {}) {
      const encoded = await encodeAll(images, options)
      return encoded.map(({ projected, imageEmbeds }) => ({
        projected: projected.data as Float32Array,
        imageEmbeds: imageEmbeds.data as Float32Array,
      }))
    },

    async encodeTexts(texts, { maxTextLength = longest, signal }: EncodeTextOptions = {}) {
      const tokens = texts.map((text) => readText(text, maxTextLength))
      const features = await engine.textFeatures(tokens, { signal, batch: texts.length })
      return tokens.map((one, i) => ({ projected: features[i] as Float32Array, tokens: one }))
    },

    async matchLogits(imageEmbeds, texts, options: EncodeOptions = {}) {
      const image = float32(imageEmbeds, [patches, 1, hidden_size])
      const logits = await engine.match(image, texts, { ...options, batch: texts.length })
      return { noMatch: Float32Array.from(logits, ([no]) => no), match: Float32Array.from(logits, ([, yes]) => yes) }
    },

    similarities: (projectedImages, images, projectedTexts, texts, { signal } = {}) =>
      engine.similarities(
        float32(projectedImages, [images, num_query_tokens, image_text_hidden_size]),
        float32(projectedTexts, [texts, image_text_hidden_size]),
        signal,
      ),
  }
}
