/** What each task asks the language model, and how the answer is searched for, as published. */
import type { GenerationOptions } from '../generation/options.ts'
import type { Blip2Config } from '../models/config.ts'

/** LAVIS 506965b, caption_coco_*_eval.yaml (beam 5; at most 30 tokens); BLIP-2 paper, section 4.2. */
export const captionDefaults: GenerationOptions = { numBeams: 5, lengthPenalty: 1, maxNewTokens: 30 }

/** BLIP-2 paper, section 4.1: beam 5, length penalty -1 for short answers; LAVIS 506965b: at most 10 tokens. */
export const answerDefaults: GenerationOptions = { numBeams: 5, lengthPenalty: -1, maxNewTokens: 10 }

/** LAVIS 506965b, examples/blip2_instructed_generation.ipynb: the defaults of `generate`. */
export const chatDefaults: GenerationOptions = { numBeams: 5, lengthPenalty: 1, maxNewTokens: 30 }

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
