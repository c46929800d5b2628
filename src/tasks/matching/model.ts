/** Scores, features and the Q-Former's own captions: what a first-stage model does with images and texts. */
import { ConfigError, DataError } from '../../errors.ts'
import type { Preprocessor } from '../../images/node-preprocess.ts'
import type { RgbImage } from '../../images/rgb-image.ts'
import type { Tensor } from '../../runtime/device.ts'
import { captionText } from '../../tokenizers/lavis-text.ts'
import type { QformerTokenizer } from '../../tokenizers/qformer.ts'
import type { Blip2, Caption, TaskOptions } from '../blip2.ts'
import { type EncodedImage, type ImageInput, MatchingImage } from '../image.ts'
import { lacks } from '../lacks.ts'
import { float32 } from '../layout.ts'
import { captionDefaults, generationOptions } from '../prompts.ts'
import { encodeImages, type ReadImageOptions } from '../read-images.ts'
import { timing } from '../timing.ts'
import type { MatchingEngine, MatchLogits, TextTokens } from './engine.ts'
import { asInputs, type FeatureInputs, type Features, featureTensor, type Match, type MatchOptions } from './results.ts'
import { retrievalEncoder } from './retrieval-encoder.ts'
import { textReader } from './text-reader.ts'

export interface RetrievalParts {
  readonly name: string
  readonly engine: MatchingEngine
  readonly tokenizer: QformerTokenizer
  readonly preprocessor: Preprocessor
  /** Told once that a text is cut. */
  readonly onNotice?: (text: string) => void
  /** Told of every picture before it is resized. */
  readonly onPicture?: ((picture: RgbImage) => void) | undefined
}

/** Tokens of the longest text that the first stage is trained with. LAVIS 506965b, max_txt_len. */
const trainedTextLength = 32

/** The tasks of a first-stage model. What needs a language model rejects. */
export function createRetrievalModel(parts: RetrievalParts): Blip2 {
  const { name, engine, tokenizer, preprocessor, onNotice, onPicture } = parts
  const { config } = engine
  const positions = config.qformer_config.max_position_embeddings
  const readText = textReader(tokenizer, positions, onNotice)
  const reader = {
    preprocessor,
    size: config.vision_config.image_size,
    kind: MatchingImage,
    encode: engine.encode,
    onPicture,
  }
  const encodeAll = (images: readonly ImageInput[], options: ReadImageOptions) =>
    encodeImages(reader, images, options, timing())

  function wordsFor({ clean = true, maxTextLength }: MatchOptions, usualLength: number): (text: string) => TextTokens {
    return (text) => readText(clean ? captionText(text) : text, maxTextLength ?? usualLength)
  }

  async function* matchAll(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options: MatchOptions = {},
  ): AsyncGenerator<Match[], void> {
    const tokens = texts.map(wordsFor(options, Math.min(trainedTextLength, positions)))
    const textFeatures = stacked(await engine.textFeatures(tokens, options), config.image_text_hidden_size)
    for await (const input of images) {
      const [{ imageEmbeds, projected }] = (await encodeAll([input], options)) as [MatchingImage]
      const image = float32(projected.data as Float32Array, [1, ...projected.shape])
      const similarities = await engine.similarities(image, textFeatures, options.signal)
      const logits = await engine.match(imageEmbeds, tokens, options)
      yield texts.map((text, i) => toMatch(text, similarities[i] as number, logits[i] as MatchLogits))
    }
  }

  function match(image: ImageInput, text: string, options?: MatchOptions): Promise<Match>
  function match(image: ImageInput, texts: readonly string[], options?: MatchOptions): Promise<Match[]>
  async function match(
    image: ImageInput,
    texts: string | readonly string[],
    options?: MatchOptions,
  ): Promise<Match | Match[]> {
    const { value } = await matchAll([image], [texts].flat(), options).next()
    const matches = value as Match[]
    return typeof texts === 'string' ? (matches[0] as Match) : matches
  }

  async function featuresBatch(inputs: FeatureInputs, options: MatchOptions = {}): Promise<Features[]> {
    const read = wordsFor(options, positions)
    switch (inputs.mode) {
      case 'image': {
        const images = await encodeAll(inputs.images, options)
        return images.map(({ queryOutput, projected }) => features(queryOutput, projected))
      }
      case 'text': {
        const texts = await engine.encodeTexts(inputs.texts.map(read), options)
        return texts.map(({ output, projected }) => features(output, projected))
      }
      case 'multimodal': {
        const { images, texts } = inputs
        if (images.length !== texts.length) {
          throw new DataError(
            `multimodal features: expected a text for each image, found ${images.length} images and ${texts.length} texts`,
          )
        }
        const embeds = (await encodeAll(images, options)).map(({ imageEmbeds }) => imageEmbeds)
        return (await engine.multimodal(embeds, texts.map(read), options)).map((output) => features(output))
      }
    }
  }

  async function captionBatch(images: readonly ImageInput[], options: TaskOptions = {}): Promise<Caption[]> {
    if (!engine.captions) throw noCaptions(name)
    if (options.prompt) throw new ConfigError(`prompt: the captioning head of ${name} takes none; leave it out`)
    const clock = timing()
    if (images.length === 0) return []
    const encoded = await encodeImages(reader, images, options, clock)
    const settings = generationOptions(captionDefaults, options)
    const sequences = await clock.measure('generate', () => engine.caption(encoded, settings, options.signal))
    const timing_ms = clock.total()
    return sequences.map((found) => {
      const captions = found.map(({ tokens, score, finishReason }) => ({
        text: tokenizer.decode(tokens).trim(),
        score,
        finishReason,
      }))
      return { pred_caption: captions[0]?.text ?? '', captions, timing_ms }
    })
  }

  const noLanguageModel = (task: string) => async (): Promise<never> => {
    throw lacks(task, name, 'retrieval')
  }

  return {
    name,
    kind: 'retrieval',
    config,
    encode: async (image, options = {}) => (await encodeAll([image], options))[0] as EncodedImage,
    caption: async (image, options) => (await captionBatch([image], options))[0] as Caption,
    captionBatch,
    match,
    matchAll,
    features: async (input, options) => (await featuresBatch(asInputs(input), options))[0] as Features,
    featuresBatch,
    retrieval: retrievalEncoder(engine, encodeAll, readText),

    answer: noLanguageModel('answer'),
    answerBatch: noLanguageModel('answer'),
    chat: noLanguageModel('chat'),
    generate: noLanguageModel('generate'),
    generateBatch: noLanguageModel('generate'),
    // biome-ignore lint/correctness/useYield: there is nothing to yield
    async *stream() {
      throw lacks('stream', name, 'retrieval')
    },

    async dispose() {
      await Promise.all([engine.dispose(), preprocessor.dispose()])
    },
  }
}

function toMatch(text: string, itc: number, logits: MatchLogits): Match {
  return { text, itc, itm: 1 / (1 + Math.exp(logits[0] - logits[1])), itm_logits: logits }
}

function features(embeds: Tensor, projected?: Tensor): Features {
  return { embeds: featureTensor(embeds), ...(projected && { projected: featureTensor(projected) }) }
}

/** Rows of `size` as one tensor. */
function stacked(rows: readonly Float32Array[], size: number): Tensor {
  const data = new Float32Array(rows.length * size)
  rows.forEach((row, i) => {
    data.set(row, i * size)
  })
  return float32(data, [rows.length, size])
}

function noCaptions(name: string): ConfigError {
  const without = lacks('caption', name, 'retrieval').message
  return new ConfigError(
    `${without}; the captioning head of the first stage is in the files of LAVIS and mmpretrain, not in those of Hugging Face`,
  )
}
