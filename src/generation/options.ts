/** The options of generation: what they mean, their defaults, and which combinations make sense. */
import { ConfigError } from '../errors.ts'

/**
 * How to continue a prompt. Only new tokens are counted anywhere: neither prompt, nor query tokens, nor the start token.
 *
 * `numBeams` 1 is greedy search, more is beam search; `sample` draws at random instead. An option that would have no
 * effect is an error, unless it has its neutral value.
 */
export interface GenerationSettings {
  /** The most new tokens; the end-of-sequence token takes one of these places. At least 1; default 30. */
  readonly maxNewTokens: number
  /** The end-of-sequence token is banned until there are so many new tokens. 0 to maxNewTokens; default 0. */
  readonly minNewTokens: number
  /** How many candidates beam search follows. At least 1; default 1, which is greedy search. */
  readonly numBeams: number
  /** Exponent of the length in the score (`sequenceScore`); above 0 favours long sequences, below 0 short ones. Default 1. */
  readonly lengthPenalty: number
  /**
   * When beam search stops once numBeams sequences have ended: at once (true), when the best open beam scores no better
   * at its present length (false, the default), or when no open beam can become better ('never').
   */
  readonly earlyStopping: boolean | 'never'
  /** Sequences per item: the best beams, or as many samples. At least 1, at most numBeams unless sampling; default 1. */
  readonly numReturnSequences: number
  /** Makes tokens that have occurred less likely (Keskar et al. 2019, CTRL). Above 0; default 1, no penalty. */
  readonly repetitionPenalty: number
  /** No so many consecutive tokens occur twice. At least 0; default 0, off. */
  readonly noRepeatNgramSize: number
  /** Draw each token from the model's distribution. Default false. */
  readonly sample: boolean
  /** Sampling: only the likeliest tokens that together have this probability. Above 0, at most 1; default 1, all. */
  readonly topP: number
  /** Sampling: only so many likeliest tokens. At least 1; default Infinity, all (Hugging Face: 50 unless told otherwise). */
  readonly topK: number
  /** Sampling: the logits are divided by this. Above 0; default 1. */
  readonly temperature: number
  /**
   * Sampling: the same seed gives the same sequences, whatever else is in the batch. An integer from 0 to 2^53 - 1.
   * Default: another one for each call. The items of a batch use the same random numbers.
   */
  readonly seed: number | undefined
}

/** What a caller may say; the rest is filled in with defaults. */
export type GenerationOptions = { readonly [Name in keyof GenerationSettings]?: GenerationSettings[Name] | undefined }

/** Token ids with a meaning, from the model's configuration. */
export interface TokenIds {
  /** OPT: bos. T5: decoder start. It counts as generated for the processors, though the decoder is never fed it. */
  readonly startTokenId: number
  /** Tokens that end a sequence; none: every sequence has maxNewTokens tokens. */
  readonly eosTokenIds: readonly number[]
  /** Fed to branches that have ended. */
  readonly padTokenId: number
}

/** The defaults, which are the neutral values. */
export const defaultSettings: GenerationSettings = {
  maxNewTokens: 30,
  minNewTokens: 0,
  numBeams: 1,
  lengthPenalty: 1,
  earlyStopping: false,
  numReturnSequences: 1,
  repetitionPenalty: 1,
  noRepeatNgramSize: 0,
  sample: false,
  topP: 1,
  topK: Number.POSITIVE_INFINITY,
  temperature: 1,
  seed: undefined,
}

/** One option alone: does the value do, and what would. */
interface Rule {
  readonly allows: (value: unknown) => boolean
  readonly expected: string
}

const integerFrom = (min: number, unit = ''): Rule => ({
  allows: (value) => Number.isSafeInteger(value) && (value as number) >= min,
  expected: `an integer of at least ${min}${unit}`,
})
const aboveZero: Rule = {
  allows: (value) => Number.isFinite(value) && (value as number) > 0,
  expected: 'a finite number above 0',
}

const rules: Readonly<Record<keyof GenerationOptions, Rule>> = {
  maxNewTokens: integerFrom(1, ' (tokens)'),
  minNewTokens: integerFrom(0, ' (tokens)'),
  numBeams: integerFrom(1),
  lengthPenalty: { allows: Number.isFinite, expected: 'a finite number' },
  earlyStopping: {
    allows: (value) => [true, false, 'never'].includes(value as never),
    expected: 'true, false or "never"',
  },
  numReturnSequences: integerFrom(1),
  repetitionPenalty: aboveZero,
  noRepeatNgramSize: integerFrom(0, ' (tokens)'),
  sample: { allows: (value) => typeof value === 'boolean', expected: 'true or false' },
  topP: {
    allows: (value) => aboveZero.allows(value) && (value as number) <= 1,
    expected: 'a probability above 0, at most 1',
  },
  topK: {
    allows: (value) => value === Number.POSITIVE_INFINITY || integerFrom(1).allows(value),
    expected: 'an integer of at least 1 (tokens), or Infinity for all',
  },
  temperature: { ...aboveZero, expected: 'a finite number above 0; for the likeliest token leave sample out' },
  seed: {
    allows: (value) => value === undefined || integerFrom(0).allows(value),
    expected: 'an integer from 0 to 9007199254740991',
  },
}

/**
 * Fills in the defaults. Throws a ConfigError for an unknown name, a value out of range, or options that contradict
 * each other. Settings that it returned are options that it accepts.
 */
export function validateOptions(options: GenerationOptions): GenerationSettings {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof GenerationOptions] : undefined
    if (rule === undefined) throw new ConfigError(`generation option ${name}: unknown; there are ${names()}`)
    if (value === undefined || rule.allows(value)) continue
    throw new ConfigError(`generation option ${name}: expected ${rule.expected}, found ${shown(value)}`)
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings: GenerationSettings = { ...defaultSettings, ...given }
  const conflict = conflictIn(settings)
  if (conflict !== undefined) throw new ConfigError(`generation options: ${conflict}`)
  return settings
}

/** The first pair of options that cannot both be meant. */
function conflictIn(s: GenerationSettings): string | undefined {
  if (s.minNewTokens > s.maxNewTokens) {
    return `minNewTokens ${s.minNewTokens} is more than maxNewTokens ${s.maxNewTokens}`
  }
  if (s.sample && s.numBeams > 1) return `sample cannot be combined with numBeams ${s.numBeams}; leave one of them out`
  if (!s.sample) {
    const useless = (['topP', 'topK', 'temperature', 'seed'] as const).find((name) => s[name] !== defaultSettings[name])
    if (useless) return `${useless} ${s[useless]} has an effect only with sample: true`
    if (s.numReturnSequences > s.numBeams) {
      return `numReturnSequences ${s.numReturnSequences} is more than numBeams ${s.numBeams}; add beams, or sample: true`
    }
  }
  if (s.numBeams === 1 && s.earlyStopping !== false) {
    return `earlyStopping ${shown(s.earlyStopping)} has an effect only with numBeams of at least 2`
  }
  return undefined
}

/** Throws a ConfigError unless every id is one of the vocabulary's, and some token does not end the sequence. */
export function validateTokenIds(ids: TokenIds, vocabSize: number): void {
  const named = [
    ['startTokenId', ids.startTokenId],
    ['padTokenId', ids.padTokenId],
    ...ids.eosTokenIds.map((id, i) => [`eosTokenIds[${i}]`, id] as const),
  ] as const
  for (const [name, id] of named) {
    if (Number.isSafeInteger(id) && id >= 0 && id < vocabSize) continue
    throw new ConfigError(`${name}: expected a token id from 0 to ${vocabSize - 1}, found ${shown(id)}`)
  }
  if (new Set(ids.eosTokenIds).size < vocabSize) return
  throw new ConfigError(`eosTokenIds: all ${vocabSize} tokens of the vocabulary end the sequence`)
}

const names = (): string => Object.keys(rules).join(', ')
const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value))
