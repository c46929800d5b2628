/** What each task asks the language model, and how the answer is searched for, as published. */
import type { GenerationOptions } from '../generation/options.ts'
import { findBuiltIn } from '../models/built-in.ts'
import type { Blip2Config } from '../models/config.ts'
import type { TaskOptions } from './blip2.ts'

/** LAVIS 506965b, caption_coco_*_eval.yaml (beam 5; at most 30 tokens); BLIP-2 paper, section 4.2. */
export const captionDefaults = { numBeams: 5, lengthPenalty: 1, maxNewTokens: 30 } satisfies GenerationOptions

/** The same for the model of this name: a built-in one may describe at greater length. */
export function captionDefaultsOf(model: string): GenerationOptions {
  const { captionTokens = captionDefaults.maxNewTokens } = findBuiltIn(model) ?? {}
  return { ...captionDefaults, maxNewTokens: captionTokens }
}

/** BLIP-2 paper, section 4.1: beam 5, length penalty -1 for short answers; LAVIS 506965b: at most 10 tokens. */
export const answerDefaults: GenerationOptions = { numBeams: 5, lengthPenalty: -1, maxNewTokens: 10 }

/** LAVIS 506965b, examples/blip2_instructed_generation.ipynb: the defaults of `generate`. */
export const chatDefaults = { numBeams: 5, lengthPenalty: 1, maxNewTokens: 30 } satisfies GenerationOptions

/**
 * The defaults under the caller's options, without what is not about generation. Beams give way to sampling, as the two
 * exclude each other.
 */
export function generationOptions(defaults: GenerationOptions, options: TaskOptions): GenerationOptions {
  const { prompt, exif, signal, ...given } = options
  const beams = options.sample && options.numBeams === undefined ? { numBeams: 1 } : {}
  const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { ...defaults, ...beams, ...named }
}

/** BLIP-2 paper, section 4.1: "Question: {} Answer:" for OPT, "Question: {} Short answer:" for Flan-T5. */
export function questionPrompt({ text_config }: Blip2Config, question: string): string {
  return `Question: ${question.trim()} ${text_config.model_type === 'opt' ? 'Answer:' : 'Short answer:'}`
}

export interface Turn {
  readonly question: string
  readonly answer: string
}

/** The chain of a conversation: "Question: … Answer: …. Question: … Answer:" (paper, figure 4; the notebook above). */
export function chatPrompt(history: readonly Turn[], question: string): string {
  const past = history.map((turn) => `Question: ${turn.question.trim()} Answer: ${turn.answer.trim()}. `)
  return `${past.join('')}Question: ${question.trim()} Answer:`
}
