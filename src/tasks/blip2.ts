/** The library's main object: a loaded BLIP-2 model and what it can do with images. */
import { DataError } from '../errors.ts'
import { type GenerationOptions, validateOptions } from '../generation/options.ts'
import type { GeneratedSequence } from '../generation/sequence.ts'
import { decodeImage, type ImageSource } from '../images/node.ts'
import type { Preprocessor } from '../images/node-preprocess.ts'
import type { Blip2Config } from '../models/config.ts'
import { incrementalDecoder } from '../tokenizers/incremental.ts'
import type { TextTokenizer } from '../tokenizers/tokenizer.ts'
import type { Engine } from './engine.ts'
import { EncodedImage, type ImageInput, imageName, isPixels } from './image.ts'
import {
  answerDefaults,
  captionDefaults,
  chatDefaults,
  chatPrompt,
  generationOptions,
  questionPrompt,
  type Turn,
} from './prompts.ts'
import { type Timing, type TimingMs, timing } from './timing.ts'

export interface TaskOptions extends GenerationOptions {
  /** Text that the answer continues, instead of the task's own template. */
  readonly prompt?: string | undefined
  /** Turn photos as their EXIF orientation says. Default true; the reference implementations do not. */
  readonly exif?: boolean | undefined
  /** Checked between the steps; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface GeneratedText {
  /** Without prompt and special tokens, trimmed. */
  readonly text: string
  /** About the mean log-probability of a token (`sequenceScore`). */
  readonly score: number
  readonly finishReason: 'eos' | 'length'
}

export interface Caption {
  /** The best caption. */
  readonly pred_caption: string
  /** `numReturnSequences` captions, best first. */
  readonly captions: readonly GeneratedText[]
  readonly timing_ms: TimingMs
}

export interface Answer {
  readonly question: string
  readonly pred_answer: string
  readonly timing_ms: TimingMs
}

/** An image, which may be the same encoded one several times, and a question about it. */
export interface Asked {
  readonly image: ImageInput
  readonly question: string
}

/** An image and the text that the language model continues behind it. */
export interface PromptedInput {
  readonly image: ImageInput
  readonly prompt: string
}

/** A conversation about one image. */
export interface Chat {
  /** All turns. The language model is told the last ones that it has room for. */
  readonly history: readonly Turn[]
  ask(question: string, options?: TaskOptions): Promise<Answer>
}

export interface Blip2 {
  /** The name that the model was loaded by. */
  readonly name: string
  readonly config: Blip2Config
  /** Runs the image encoder and the Q-Former once; every other call takes the result in place of the image. */
  encode(image: ImageInput, options?: TaskOptions): Promise<EncodedImage>
  caption(image: ImageInput, options?: TaskOptions): Promise<Caption>
  /** Several images as one batch; each gets the caption that it would get alone. */
  captionBatch(images: readonly ImageInput[], options?: TaskOptions): Promise<Caption[]>
  answer(image: ImageInput, question: string, options?: TaskOptions): Promise<Answer>
  /** Several questions, each about its own image, as one batch; each gets the answer that it would get alone. */
  answerBatch(items: readonly Asked[], options?: TaskOptions): Promise<Answer[]>
  chat(image: ImageInput, options?: TaskOptions): Promise<Chat>
  /** Continues a prompt of your own (empty by default) after the image: nothing is added to it. */
  generate(image: ImageInput, options?: TaskOptions): Promise<GeneratedText[]>
  /** The same for several images as one batch, each with its own prompt. */
  generateBatch(items: readonly PromptedInput[], options?: TaskOptions): Promise<GeneratedText[][]>
  /** Like `generate`, piece by piece: as produced for greedy search and sampling, all at the end for beam search. */
  stream(image: ImageInput, options?: TaskOptions): AsyncGenerator<string, void>
  /** Gives the memory back and ends the threads. Calls that are running or come later reject with a SessionError. */
  dispose(): Promise<void>
}

export interface Blip2Parts {
  readonly name: string
  readonly config: Blip2Config
  readonly engine: Engine
  readonly tokenizer: TextTokenizer
  readonly preprocessor: Preprocessor
  /** Begins every caption, as in the published configuration of this checkpoint; may be empty. */
  readonly captionPrompt: string
}

export function createBlip2(parts: Blip2Parts): Blip2 {
  const { name, config, engine, tokenizer, preprocessor } = parts

  /** Decodes and encodes the images that are not encoded yet, as one batch. */
  async function encodeAll(
    images: readonly ImageInput[],
    options: TaskOptions,
    clock: Timing,
  ): Promise<EncodedImage[]> {
    const { signal, exif = true } = options
    const fresh = images.filter((image) => !(image instanceof EncodedImage))
    if (fresh.length === 0) return images as EncodedImage[]
    const size = config.vision_config.image_size
    const decoded = await clock.measure('decode', () =>
      Promise.all(
        fresh.map(async (image) =>
          isPixels(image) ? image : decodeImage(image as ImageSource, { exif, ...(signal && { signal }) }),
        ),
      ),
    )
    const pixels = await clock.measure('resize', () => preprocessor.pixelValues(decoded, size, signal && { signal }))
    const encoded = await clock.measure('encode', () => engine.encode(pixels, fresh.length, signal))
    return images.map((image) => (image instanceof EncodedImage ? image : (encoded.shift() as EncodedImage)))
  }

  function toText(sequence: GeneratedSequence): GeneratedText {
    const text = tokenizer.decode(sequence.tokens, { skipSpecialTokens: true }).trim()
    return { text, score: sequence.score, finishReason: sequence.finishReason }
  }

  async function complete(
    images: readonly ImageInput[],
    prompts: readonly string[],
    defaults: GenerationOptions,
    options: TaskOptions,
  ): Promise<{ texts: GeneratedText[][]; timing_ms: TimingMs }> {
    const settings = generationOptions(defaults, options)
    validateOptions(settings)
    const clock = timing()
    if (images.length === 0) return { texts: [], timing_ms: clock.total() }
    const encoded = await encodeAll(images, options, clock)
    const items = encoded.map((image, i) => ({ image, prompt: encodePrompt(prompts[i] as string) }))
    const sequences = await clock.measure('generate', () => engine.generate(items, settings, options.signal))
    return { texts: sequences.map((one) => one.map(toText)), timing_ms: clock.total() }
  }

  function encodePrompt(prompt: string): number[] {
    const ids = tokenizer.encode(prompt)
    if (ids.length > 0) return ids
    const { bos_token_id } = config.text_config
    if (bos_token_id === undefined) throw new DataError('prompt: empty, and this model has no token that begins a text')
    return [bos_token_id]
  }

  async function captionBatch(images: readonly ImageInput[], options: TaskOptions = {}): Promise<Caption[]> {
    const prompt = options.prompt ?? parts.captionPrompt
    const { texts, timing_ms } = await complete(
      images,
      images.map(() => prompt),
      captionDefaults,
      options,
    )
    return texts.map((captions) => ({ pred_caption: captions[0]?.text ?? '', captions, timing_ms }))
  }

  async function reply(
    items: readonly Asked[],
    prompts: readonly string[],
    defaults: GenerationOptions,
    options: TaskOptions,
  ): Promise<Answer[]> {
    const silent = items.find(({ question }) => question.trim() === '')
    if (silent) throw new DataError(`${imageName(silent.image)}: the question is empty`)
    const asked = options.prompt === undefined ? prompts : items.map(() => options.prompt as string)
    const images = items.map(({ image }) => image)
    const { texts, timing_ms } = await complete(images, asked, defaults, options)
    return items.map(({ question }, i) => ({ question, pred_answer: texts[i]?.[0]?.text ?? '', timing_ms }))
  }

  const answerBatch = (items: readonly Asked[], options: TaskOptions = {}): Promise<Answer[]> => {
    const prompts = items.map(({ question }) => questionPrompt(config, question))
    return reply(items, prompts, answerDefaults, options)
  }

  /** The prompt with as many of the last turns as the language model can read, answer included. */
  function conversation(history: readonly Turn[], question: string, newTokens: number): string {
    const { text_config, num_query_tokens } = config
    const positions = text_config.model_type === 'opt' ? text_config.max_position_embeddings : Number.POSITIVE_INFINITY
    for (let forgotten = 0; forgotten < history.length; forgotten++) {
      const prompt = chatPrompt(history.slice(forgotten), question)
      if (num_query_tokens + tokenizer.encode(prompt).length + newTokens <= positions) return prompt
    }
    return chatPrompt([], question)
  }

  const encode = async (image: ImageInput, options: TaskOptions = {}): Promise<EncodedImage> =>
    (await encodeAll([image], options, timing()))[0] as EncodedImage

  return {
    name,
    config,
    encode,
    captionBatch,
    caption: async (image, options) => (await captionBatch([image], options))[0] as Caption,
    answerBatch,
    answer: async (image, question, options) => (await answerBatch([{ image, question }], options))[0] as Answer,

    async chat(image, options = {}) {
      const encoded = await encode(image, options)
      const history: Turn[] = []
      return {
        history,
        async ask(question, more = {}) {
          const settings = { ...options, ...more }
          const prompt = conversation(history, question, settings.maxNewTokens ?? chatDefaults.maxNewTokens)
          const [answer] = (await reply([{ image: encoded, question }], [prompt], chatDefaults, settings)) as [Answer]
          history.push({ question, answer: answer.pred_answer })
          return answer
        },
      }
    },

    async generate(image, options = {}) {
      const { texts } = await complete([image], [options.prompt ?? ''], {}, options)
      return texts[0] as GeneratedText[]
    },

    async generateBatch(items, options = {}) {
      const images = items.map(({ image }) => image)
      const prompts = items.map(({ prompt }) => prompt)
      return (await complete(images, prompts, {}, options)).texts
    },

    async *stream(image, options = {}) {
      const settings = generationOptions({}, options)
      validateOptions(settings)
      const item = { image: await encode(image, options), prompt: encodePrompt(options.prompt ?? '') }
      const text = incrementalDecoder(tokenizer)
      for await (const { sequence, token } of engine.stream(item, settings, options.signal)) {
        const piece = sequence === 0 ? text.push(token) : ''
        if (piece !== '') yield piece
      }
      const rest = text.end()
      if (rest !== '') yield rest
    },

    async dispose() {
      await Promise.all([engine.dispose(), preprocessor.dispose()])
    },
  }
}
