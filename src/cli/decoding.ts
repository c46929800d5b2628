/** From the command line to the library's generation options, and back in error messages. */
import type { Command } from 'commander'
import { ConfigError } from '../errors.ts'
import { type GenerationOptions, validateOptions } from '../generation/options.ts'
import { generationOptions } from '../tasks/prompts.ts'

export interface DecodingFlags {
  readonly beams?: number
  readonly captions?: number
  readonly maxNewTokens?: number
  readonly minNewTokens?: number
  readonly lengthPenalty?: number
  readonly repetitionPenalty?: number
  readonly noRepeatNgram?: number
  readonly sample?: boolean
  readonly topP?: number
  readonly topK?: number
  readonly temperature?: number
  readonly seed?: number
}

/** How the library's options are called here. */
const flagNames: Readonly<Record<string, string>> = {
  numBeams: '--beams',
  numReturnSequences: '--captions',
  maxNewTokens: '--max-new-tokens',
  minNewTokens: '--min-new-tokens',
  lengthPenalty: '--length-penalty',
  repetitionPenalty: '--repetition-penalty',
  noRepeatNgramSize: '--no-repeat-ngram',
  sample: '--sample',
  topP: '--top-p',
  topK: '--top-k',
  temperature: '--temperature',
  seed: '--seed',
}

/**
 * The generation options of the command line. What cannot be meant ends the program here as wrong usage, before a model is loaded.
 * More captions than the usual beams get as many beams, unless --beams says otherwise.
 */
export function decodingOptions(
  command: Command,
  flags: DecodingFlags,
  defaults: GenerationOptions,
): GenerationOptions {
  const { beams, captions } = flags
  const enough = captions === undefined || flags.sample ? undefined : Math.max(captions, defaults.numBeams ?? 1)
  const options: GenerationOptions = {
    numBeams: beams ?? enough,
    numReturnSequences: captions,
    maxNewTokens: flags.maxNewTokens,
    minNewTokens: flags.minNewTokens,
    lengthPenalty: flags.lengthPenalty,
    repetitionPenalty: flags.repetitionPenalty,
    noRepeatNgramSize: flags.noRepeatNgram,
    sample: flags.sample,
    topP: flags.topP,
    topK: flags.topK,
    temperature: flags.temperature,
    seed: flags.seed,
  }
  try {
    validateOptions(generationOptions(defaults, options))
  } catch (error) {
    if (error instanceof ConfigError) command.error(`error: ${inFlags(error.message)}`)
    throw error
  }
  return options
}

/** `generation options: topP 0.9 has an effect only with sample: true` → `--top-p 0.9 has an effect only with --sample`. */
function inFlags(message: string): string {
  const text = message.replace(/^generation options?:? /, '').replace('sample: true', 'sample')
  return text.replace(/\b[a-z]+[A-Za-z]*\b/g, (word) => (Object.hasOwn(flagNames, word) ? flagNames[word]! : word))
}
