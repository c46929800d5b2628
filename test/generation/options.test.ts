import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '../../src/errors.ts'
import {
  defaultSettings,
  type GenerationOptions,
  validateOptions,
  validateTokenIds,
} from '../../src/generation/options.ts'
import { referenceDir } from '../support/paths.ts'

const message = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message
  }
  return 'no error'
}
const refusal = (options: unknown): string => message(() => validateOptions(options as GenerationOptions))

test('defaults are filled in; undefined means not given; settings are options again', () => {
  assert.deepEqual(validateOptions({}), defaultSettings)
  const settings = validateOptions({ numBeams: 5, lengthPenalty: -1, topP: undefined })
  assert.deepEqual(settings, { ...defaultSettings, numBeams: 5, lengthPenalty: -1 })
  assert.deepEqual(validateOptions(settings), settings)
  const sampling = validateOptions({ sample: true, topP: 0.9, seed: 7, numReturnSequences: 3 })
  assert.deepEqual(validateOptions(sampling), sampling)
})

test('a value out of range says the option, what is expected and what was found', () => {
  const start = 'generation option'
  const cases: readonly [object, string][] = [
    [{ maxNewTokens: 0 }, `${start} maxNewTokens: expected an integer of at least 1 (tokens), found 0`],
    [{ maxNewTokens: '30' }, `${start} maxNewTokens: expected an integer of at least 1 (tokens), found "30"`],
    [{ minNewTokens: -1 }, `${start} minNewTokens: expected an integer of at least 0 (tokens), found -1`],
    [{ numBeams: 2.5 }, `${start} numBeams: expected an integer of at least 1, found 2.5`],
    [{ lengthPenalty: Number.NaN }, `${start} lengthPenalty: expected a finite number, found NaN`],
    [{ earlyStopping: 'always' }, `${start} earlyStopping: expected true, false or "never", found "always"`],
    [{ numReturnSequences: 0 }, `${start} numReturnSequences: expected an integer of at least 1, found 0`],
    [{ repetitionPenalty: 0 }, `${start} repetitionPenalty: expected a finite number above 0, found 0`],
    [{ noRepeatNgramSize: 1.5 }, `${start} noRepeatNgramSize: expected an integer of at least 0 (tokens), found 1.5`],
    [{ sample: 1 }, `${start} sample: expected true or false, found 1`],
    [{ sample: true, topP: 1.1 }, `${start} topP: expected a probability above 0, at most 1, found 1.1`],
    [
      { sample: true, topK: 0 },
      `${start} topK: expected an integer of at least 1 (tokens), or Infinity for all, found 0`,
    ],
    [
      { sample: true, temperature: 0 },
      `${start} temperature: expected a finite number above 0; for the likeliest token leave sample out, found 0`,
    ],
    [{ sample: true, seed: -1 }, `${start} seed: expected an integer from 0 to 9007199254740991, found -1`],
  ]
  for (const [options, expected] of cases) assert.equal(refusal(options), expected)
})

test('an unknown name is refused, with the names there are', () => {
  assert.match(
    refusal({ num_beams: 5 }),
    /^generation option num_beams: unknown; there are maxNewTokens, .*, numBeams, /,
  )
  assert.match(refusal({ maxLength: 30 }), /maxLength: unknown/)
  assert.match(refusal({ toString: 1 }), /toString: unknown/)
})

test('options that contradict each other are refused, not ignored', () => {
  const cases: readonly [GenerationOptions, string][] = [
    [{ minNewTokens: 31 }, 'minNewTokens 31 is more than maxNewTokens 30'],
    [{ sample: true, numBeams: 5 }, 'sample cannot be combined with numBeams 5; leave one of them out'],
    [{ topP: 0.9 }, 'topP 0.9 has an effect only with sample: true'],
    [{ topK: 50, numBeams: 3 }, 'topK 50 has an effect only with sample: true'],
    [{ temperature: 0.7 }, 'temperature 0.7 has an effect only with sample: true'],
    [{ seed: 0 }, 'seed 0 has an effect only with sample: true'],
    [
      { numBeams: 3, numReturnSequences: 4 },
      'numReturnSequences 4 is more than numBeams 3; add beams, or sample: true',
    ],
    [{ numReturnSequences: 2 }, 'numReturnSequences 2 is more than numBeams 1; add beams, or sample: true'],
    [{ earlyStopping: true }, 'earlyStopping true has an effect only with numBeams of at least 2'],
    [{ earlyStopping: 'never' }, 'earlyStopping "never" has an effect only with numBeams of at least 2'],
  ]
  for (const [options, expected] of cases) assert.equal(refusal(options), `generation options: ${expected}`)
})

test('token ids must be in the vocabulary', () => {
  const ids = { startTokenId: 2, eosTokenIds: [2], padTokenId: 1 }
  validateTokenIds(ids, 3)
  validateTokenIds({ ...ids, eosTokenIds: [] }, 3)
  const refused = (changed: object, vocabSize = 3): string =>
    message(() => validateTokenIds({ ...ids, ...changed }, vocabSize))
  assert.equal(refused({ startTokenId: 3 }), 'startTokenId: expected a token id from 0 to 2, found 3')
  assert.equal(refused({ padTokenId: -1 }), 'padTokenId: expected a token id from 0 to 2, found -1')
  assert.equal(refused({ eosTokenIds: [1, 0.5] }), 'eosTokenIds[1]: expected a token id from 0 to 2, found 0.5')
  assert.equal(refused({ eosTokenIds: [0, 1, 2, 2] }), 'eosTokenIds: all 3 tokens of the vocabulary end the sequence')
})

test('every argument of the reference cases has its option', () => {
  // Names of transformers 4.27.1. Its max_length and min_length count the start token, its max_new_tokens does not.
  const convert: Record<string, (value: never) => GenerationOptions> = {
    max_new_tokens: (value: number) => ({ maxNewTokens: value }),
    max_length: (value: number) => ({ maxNewTokens: value - 1 }),
    min_length: (value: number) => ({ minNewTokens: Math.max(value - 1, 0) }),
    num_beams: (value: number) => ({ numBeams: value }),
    length_penalty: (value: number) => ({ lengthPenalty: value }),
    early_stopping: (value: boolean | 'never') => ({ earlyStopping: value }),
    num_return_sequences: (value: number) => ({ numReturnSequences: value }),
    repetition_penalty: (value: number) => ({ repetitionPenalty: value }),
    no_repeat_ngram_size: (value: number) => ({ noRepeatNgramSize: value }),
  }
  for (const folder of ['hf-blip2-opt', 'hf-blip2-t5']) {
    const { generate } = JSON.parse(readFileSync(join(referenceDir, folder, 'cases.json'), 'utf8'))
    assert.ok(generate.length > 0)
    for (const { name, args } of generate) {
      const options = Object.entries(args).map(([key, value]) => {
        assert.ok(convert[key], `${folder} ${name}: ${key}`)
        return convert[key](value as never)
      })
      validateOptions(Object.assign({}, ...options))
    }
  }
})
