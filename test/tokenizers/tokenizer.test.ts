import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointError, ConfigError } from '../../src/errors.ts'
import { bertTokenizer } from '../../src/tokenizers/bert.ts'
import { createTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { bertVocab, optLike, t5Like } from './models.ts'

const opt = createTokenizer(optLike, {})
const t5 = createTokenizer(t5Like, { eos_token: '</s>' })
const byte = (value: number) => 4 + value

test('byte-level BPE: leading </s>, merges by rank, words with their space', () => {
  // `cat` = c a t → ca t → cat (261); ` cat` = Ġ cat (262); ` dog` (266); `s` stays a byte.
  assert.deepEqual(opt.encode('cat cat dogs'), [2, 261, 262, 266, byte(115)])
  assert.deepEqual(opt.encode(''), [2])
})

test('byte-level BPE: any text is encodable and comes back', () => {
  // U+00E9 is bytes C3 A9, U+732B is E7 8C AB, U+1F431 is F0 9F 90 B1.
  assert.deepEqual(opt.encode('é'), [2, byte(0xc3), byte(0xa9)])
  assert.deepEqual(opt.encode('猫'), [2, byte(0xe7), byte(0x8c), byte(0xab)])
  for (const text of [' a cat', 'naïve 猫\n\t🐱', '\0\x7f', '  two  spaces ']) {
    assert.equal(opt.decode(opt.encode(text), { skipSpecialTokens: true }), text)
  }
})

test('special tokens are shown or skipped', () => {
  const ids = [2, 262, 270, 1, 1]
  assert.equal(opt.decode(ids), '</s> cat<image><pad><pad>')
  assert.equal(opt.decode(ids, { skipSpecialTokens: true }), ' cat')
  assert.equal(opt.decode([2, 1], { skipSpecialTokens: true }), '')
})

test('the newer <image> token is one id and counts', () => {
  assert.deepEqual(opt.encode('cat<image>'), [2, 261, 270])
  assert.equal(opt.vocabSize, 271)
})

test('ids that the tokenizer lacks are left out, no ids are no text', () => {
  assert.equal(opt.decode([261, 271, 50_000, -1]), 'cat')
  assert.equal(opt.decode([999]), '')
  assert.equal(opt.decode([]), '')
})

test('clean-up of spaces follows tokenizer_config.json and is on without it, as in transformers 4.27', () => {
  const ids = opt.encode(' cat .')
  assert.equal(opt.decode(ids, { skipSpecialTokens: true }), ' cat.')
  const plain = createTokenizer(optLike, { clean_up_tokenization_spaces: false })
  assert.equal(plain.decode(ids, { skipSpecialTokens: true }), ' cat .')
})

test('Unigram: trailing </s>, the best sum of scores, unknown characters', () => {
  assert.deepEqual(t5.encode('two cats'), [7, 4, 5, 1])
  assert.deepEqual(t5.encode(' two   cat '), [7, 4, 1])
  assert.deepEqual(t5.encode('x'), [3, 2, 1])
  assert.equal(t5.vocabSize, 10)
})

test('Unigram: decoding puts the spaces back', () => {
  assert.equal(t5.decode([7, 4, 5, 1]), 'two cats</s>')
  assert.equal(t5.decode([0, 7, 4, 5, 1, 0], { skipSpecialTokens: true }), 'two cats')
})

test('a length limit cuts the text and keeps the special tokens around it', () => {
  const bert = createTokenizer(bertTokenizer(bertVocab.join('\n'), {}), {})
  // [CLS] a cat dog a [SEP]: [CLS] is 2, [SEP] 3.
  const whole = bert.encode('a cat dog a')
  assert.deepEqual(whole, [2, 5, 6, 8, 5, 3])
  for (const maxLength of [6, 7, 512]) assert.deepEqual(bert.encode('a cat dog a', { maxLength }), whole)
  assert.deepEqual(bert.encode('a cat dog a', { maxLength: 5 }), [2, 5, 6, 8, 3])
  assert.deepEqual(bert.encode('a cat dog a', { maxLength: 2 }), [2, 3])
  assert.deepEqual(opt.encode('cat cat dog', { maxLength: 2 }), [2, 261])
  assert.deepEqual(t5.encode('two cat', { maxLength: 2 }), [7, 1])
  for (const maxLength of [1, 0, -1, Number.NaN])
    assert.throws(() => bert.encode('a', { maxLength }), {
      constructor: ConfigError,
      message: `maxLength: expected at least 2, which the special tokens need, found ${maxLength}`,
    })
})

test('ids of single tokens', () => {
  assert.deepEqual([opt.tokenId('</s>'), opt.tokenId('<image>'), opt.tokenId('Ġcat')], [2, 270, 262])
  assert.deepEqual([opt.tokenId(' cat'), t5.tokenId('[CLS]')], [undefined, undefined])
})

test('what is no tokenizer is named', () => {
  const wrong = (json: unknown, config: unknown, message: RegExp) =>
    assert.throws(
      () => createTokenizer(json, config),
      (error) => error instanceof CheckpointError && message.test(error.message),
    )
  wrong(null, {}, /^tokenizer\.json: expected an object, found null$/)
  wrong([], {}, /^tokenizer\.json: expected an object, found a list$/)
  wrong(optLike, 'x', /^tokenizer_config\.json: expected an object, found string$/)
  wrong({ model: {} }, {}, /^tokenizer\.json: not a tokenizer of the Hugging Face format: /)
  wrong({ ...optLike, decoder: { type: 'Telepathy' } }, {}, /Unknown Decoder type: Telepathy/)
})
