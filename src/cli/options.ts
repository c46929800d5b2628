/** The options that the commands which run a model share. */
import { availableParallelism } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { GenerationOptions } from '../generation/options.ts'
import { builtInModel, type ModelKind } from '../models/built-in.ts'
import type { DeviceName } from '../runtime/node.ts'
import type { DecodingFlags } from './decoding.ts'

export interface ModelFlags {
  readonly model?: string
  readonly revision?: string
  readonly offline?: boolean
  readonly device: DeviceName
  readonly threads?: number
  readonly imageSize?: number
  readonly languageModel?: string
  readonly imageEncoder?: string
  readonly tokenizer?: string
}

export interface CommonFlags extends ModelFlags, DecodingFlags {
  readonly exif: boolean
  readonly json?: boolean
}

/** `defaults` are those of the command's task. */
export function addCommonOptions(command: Command, defaults: GenerationOptions): Command {
  const decoding = (flags: string, text: string) => command.addOption(new Option(flags, text).argParser(number))
  command
    .option('--no-exif', 'do not turn photos as their EXIF orientation says (as the reference implementations)')
    .option('--json', 'one JSON object per line')

  command.optionsGroup('Model:').addOption(modelOption('generation'))
  addModelOptions(command)

  command.optionsGroup('Decoding:')
  decoding('--beams <n>', `beams of the search; 1 is greedy (default: ${defaults.numBeams})`)
  decoding('--max-new-tokens <n>', `longest result in tokens (default: ${defaults.maxNewTokens})`)
  decoding('--min-new-tokens <n>', 'shortest result in tokens')
  decoding(
    '--length-penalty <x>',
    `above 0 favours long results, below 0 short ones (default: ${defaults.lengthPenalty})`,
  )
  decoding('--repetition-penalty <x>', 'above 1 makes repeated tokens less likely; 1.2 is usual')
  command.addOption(unnegated(new Option('--no-repeat-ngram <n>', 'no n tokens twice; 3 is usual').argParser(number)))
  command.option('--sample', 'draw at random instead of searching')
  decoding('--top-p <p>', 'sampling: from the likeliest tokens of this probability together')
  decoding('--top-k <k>', 'sampling: from so many likeliest tokens')
  decoding('--temperature <t>', 'sampling: below 1 more likely tokens, above 1 more varied ones')
  return decoding('--seed <s>', 'sampling: the same seed gives the same result').optionsGroup('Options:')
}

/** Which model; without it, the built-in one of this kind. */
export function modelOption(kind: ModelKind): Option {
  return new Option('--model <name>', 'built-in or published name, org/name of the hub, folder or file')
    .env('BLIP2_MODEL')
    .default(builtInModel(kind).name)
}

/** How the model is found and run, whatever says which it is. */
export function addModelOptions(command: Command): Command {
  return command
    .optionsGroup('Model:')
    .option('--revision <revision>', 'branch, tag or commit of the hub (default: main)')
    .option('--offline', 'use what is in the cache, without any request')
    .option('--language-model <name>', 'where the language model is, if the checkpoint has none (LAVIS, mmpretrain)')
    .option('--image-encoder <name>', 'where the image encoder is, if the checkpoint has none (LAVIS)')
    .option('--tokenizer <name>', 'where the tokenizer is (default: beside the checkpoint or the language model)')
    .option('--image-size <pixels>', 'side of the images the encoder sees (default: as published)', positiveInteger)
    .addOption(
      new Option('--device <device>', 'where to compute').choices(['auto', 'cpu', 'webgpu', 'cuda']).default('auto'),
    )
    .option('--threads <n>', `threads of one operator (default: all, ${availableParallelism()})`, positiveInteger)
}

/** A whole number from 1 on. */
export function positiveInteger(text: string): number {
  const value = number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Expected a whole number of at least 1.')
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a number.')
}

/** Commander takes --no-… for the negation of a switch. */
function unnegated(option: Option): Option {
  option.negate = false
  return option
}

/** For options that may be given several times. Without a default, which the help would show. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}
