/** A preset for one kind of language model, in full. */
import type { GenerationOptions } from '../generation/options.ts'
import type { BenchmarkOf, Search } from './config.ts'
import type { Sample } from './sample.ts'
import { processQuestion, type TextRule } from './text.ts'

/** What a prediction depends on, beside model and image, and how it is scored. The names are those of the configuration files. */
export interface Settings extends Search {
  /** Pixels of a side, as the model was loaded. */
  readonly image_size: number
  /** The reference implementations do not turn photos. */
  readonly exif: false
  readonly question_text?: TextRule
  /** The variant of the metric. */
  readonly accuracy?: string
}

export function settingsOf(
  benchmark: BenchmarkOf<'caption' | 'vqa' | 'gqa'>,
  preset: string,
  family: 'opt' | 't5',
  image_size: number,
): Settings {
  const { opt, t5, note, ...shared } = benchmark.presets[preset]!
  return { ...shared, ...{ opt, t5 }[family], image_size, exif: false }
}

/** What a model is asked of a sample: the language model reads the prompt, and a Q-Former that reads questions the question. */
export function askedOf(
  { prompt, question_text = 'as-is' }: Settings,
  sample: Sample,
): { readonly prompt: string; readonly question?: string } {
  if (sample.question === undefined) return { prompt }
  const question = processQuestion(question_text, sample.question)
  return { prompt: prompt.replaceAll('{}', () => question), question }
}

export function searchOptions(settings: Search): GenerationOptions {
  return {
    numBeams: settings.beams,
    maxNewTokens: settings.max_new_tokens,
    minNewTokens: settings.min_new_tokens,
    lengthPenalty: settings.length_penalty,
    repetitionPenalty: settings.repetition_penalty,
  }
}
