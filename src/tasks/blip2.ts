/** The library's main object: a loaded BLIP-2 model and what it can do with images and texts. */
import type { GenerationOptions } from '../generation/options.ts'
import type { Blip2Config, RetrievalConfig } from '../models/config.ts'
import type { EncodedImage, ImageInput } from './image.ts'
import type { FeatureInput, FeatureInputs, Features, Match, MatchOptions } from './matching/results.ts'
import type { Turn } from './prompts.ts'
import type { RetrievalEncoder } from './retrieval/encoder.ts'
import type { TimingMs } from './timing.ts'

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
  /** What the Q-Former reads, where the model was trained so (`qformer_reads_question`). The language model reads the prompt alone. */
  readonly question?: string | undefined
}

/** A conversation about one image. */
export interface Chat {
  /** All turns. The language model is told the last ones that it has room for. */
  readonly history: readonly Turn[]
  ask(question: string, options?: TaskOptions): Promise<Answer>
}

/**
 * What a model can do depends on its kind: `generation` (a language model behind the Q-Former) or `retrieval` (the first stage, which
 * compares images with texts). What it has no part for rejects with a ConfigError that says which model has.
 */
export interface Blip2 {
  /** The name that the model was loaded by. */
  readonly name: string
  readonly kind: 'generation' | 'retrieval'
  readonly config: Blip2Config | RetrievalConfig
  /** Runs the image encoder and the Q-Former once; every other call takes the result in place of the image. */
  encode(image: ImageInput, options?: TaskOptions): Promise<EncodedImage>
  /** By the language model, or by the captioning head of a retrieval model whose file has it (LAVIS, mmpretrain). */
  caption(image: ImageInput, options?: TaskOptions): Promise<Caption>
  /** Several images as one batch; each gets the caption that it would get alone. */
  captionBatch(images: readonly ImageInput[], options?: TaskOptions): Promise<Caption[]>

  // generation
  /** Where the model was trained so (`qformer_reads_question`), the Q-Former looks at the image with the question in mind. */
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

  // retrieval
  /** How well a text, or each of several, goes with an image (docs/scores.md). */
  match(image: ImageInput, text: string, options?: MatchOptions): Promise<Match>
  match(image: ImageInput, texts: readonly string[], options?: MatchOptions): Promise<Match[]>
  /** Every image with every text, each encoded once: yields what `match` gives for one image after the other, in any number. */
  matchAll(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    texts: readonly string[],
    options?: MatchOptions,
  ): AsyncGenerator<Match[], void>
  /** The Q-Former's output for an image, a text or both. Of a generation model, for images only and without the projection. */
  features(input: FeatureInput, options?: MatchOptions): Promise<Features>
  /** The same for several inputs of one mode; images are encoded as one batch. */
  featuresBatch(inputs: FeatureInputs, options?: MatchOptions): Promise<Features[]>
  /** The parts that searching a set of images and texts is made of. Reading it throws on a generation model. */
  readonly retrieval: RetrievalEncoder

  /** Gives the memory back and ends the threads. Calls that are running or come later reject with a SessionError. */
  dispose(): Promise<void>
}
