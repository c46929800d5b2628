/** Captions, answers and conversations: what a model with a language model does with images. */
import { DataError } from '../errors.ts'
import { type GenerationOptions, validateOptions } from '../generation/options.ts'
import type { GeneratedSequence } from '../generation/sequence.ts'
import type { Preprocessor } from '../images/node-preprocess.ts'
import type { RgbImage } from '../images/rgb-image.ts'
import type { Blip2Config } from '../models/config.ts'
import { incrementalDecoder } from '../tokenizers/incremental.ts'
import type { TextTokenizer } from '../tokenizers/tokenizer.ts'
import type { Answer, Asked, Blip2, Caption, GeneratedText, TaskOptions } from './blip2.ts'
import type { Engine } from './engine.ts'
import { GenerationImage, type ImageInput, imageName } from './image.ts'
import { lacks } from './lacks.ts'
import type { TextTokens } from './matching/engine.ts'
import { asInputs, type FeatureInputs, type Features, featureTensor, type MatchOptions } from './matching/results.ts'
import {
  answerDefaults,
  captionDefaultsOf,
  chatDefaults,
  chatPrompt,
  generationOptions,
  questionPrompt,
  type Turn,
} from './prompts.ts'
import { encodeImages } from './read-images.ts'
import { type TimingMs, timing } from './timing.ts'

export interface GenerationParts {
  readonly name: string
  readonly config: Blip2Config
  readonly engine: Engine
  readonly tokenizer: TextTokenizer
  readonly preprocessor: Preprocessor
  /** The words that the Q-Former reads of a question; undefined where the language model alone reads it. */
  readonly readQuestion?: (question: string) => TextTokens
  /** Begins every caption, as in the published configuration of this checkpoint; may be empty. */
  readonly captionPrompt: string
  /** Told of every picture before it is resized. */
  readonly onPicture?: ((picture: RgbImage) => void) | undefined
}

/** The tasks of a model with a language model. What compares images with texts rejects. */
export function createGenerationModel(parts: GenerationParts): Blip2 {
  const { name, config, engine, tokenizer, preprocessor, readQuestion } = parts

  const reader = {
    preprocessor,
    size: config.vision_config.image_size,
    kind: GenerationImage,
    encode: engine.encode,
    onPicture: parts.onPicture,
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
    questions: readonly (string | undefined)[] = [],
  ): Promise<{ texts: GeneratedText[][]; timing_ms: TimingMs }> {
    const settings = generationOptions(defaults, options)
    validateOptions(settings)
    const clock = timing()
    if (images.length === 0) return { texts: [], timing_ms: clock.total() }
    const encoded = await encodeImages(reader, images, options, clock)
    const read =
      readQuestion && questions.map((question) => (question === undefined ? undefined : readQuestion(question)))
    const seen = read?.some((question) => question)
      ? await clock.measure('encode', () => lookAgain(encoded, read, options))
      : encoded
    const items = seen.map((image, i) => ({ image, prompt: encodePrompt(prompts[i] as string) }))
    const sequences = await clock.measure('generate', () => engine.generate(items, settings, options.signal))
    return { texts: sequences.map((one) => one.map(toText)), timing_ms: clock.total() }
  }

  /** The images as the Q-Former sees them with its questions in mind; those without a question as they are. */
  async function lookAgain(
    images: readonly GenerationImage[],
    questions: readonly (TextTokens | undefined)[],
    { signal }: TaskOptions,
  ): Promise<readonly GenerationImage[]> {
    const items = images.flatMap((image, at) => {
      const question = questions[at]
      return question ? [{ at, image, question }] : []
    })
    const answered = await engine.ask(items, signal)
    const seen = [...images]
    for (const [k, { at }] of items.entries()) seen[at] = answered[k] as GenerationImage
    return seen
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
      captionDefaultsOf(name),
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
    const questions = items.map(({ question }) => question)
    const { texts, timing_ms } = await complete(images, asked, defaults, options, questions)
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

  const encode = async (image: ImageInput, options: TaskOptions = {}): Promise<GenerationImage> =>
    (await encodeImages(reader, [image], options, timing()))[0] as GenerationImage

  const noMatching = (task: string) => lacks(task, name, 'generation')

  async function featuresBatch(inputs: FeatureInputs, options: MatchOptions = {}): Promise<Features[]> {
    if (inputs.mode !== 'image') throw noMatching(`features of mode ${inputs.mode}`)
    const images = await encodeImages(reader, inputs.images, options, timing())
    return images.map(({ queryOutput }) => ({ embeds: featureTensor(queryOutput) }))
  }

  return {
    name,
    kind: 'generation',
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
      const questions = items.map(({ question }) => question)
      return (await complete(images, prompts, {}, options, questions)).texts
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

    async match() {
      throw noMatching('match')
    },
    // biome-ignore lint/correctness/useYield: there is nothing to yield
    async *matchAll() {
      throw noMatching('match')
    },
    features: async (input, options) => (await featuresBatch(asInputs(input), options))[0] as Features,
    featuresBatch,
    get retrieval(): never {
      throw noMatching('retrieval')
    },

    async dispose() {
      await Promise.all([engine.dispose(), preprocessor.dispose()])
    },
  }
}
