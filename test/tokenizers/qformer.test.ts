import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { bertTokenizer } from '../../src/tokenizers/bert.ts'
import { qformerTokenizer } from '../../src/tokenizers/qformer.ts'
import { createTokenizer, type TextTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { bertVocab, optLike } from './models.ts'

const made = (special: object = {}): TextTokenizer =>
  createTokenizer(bertTokenizer(bertVocab.join('\n'), { 'special_tokens_map.json': special }), {})
const size = bertVocab.length
const id = (token: string) => bertVocab.indexOf(token)

test('[DEC] is the id after the vocabulary, 30522 for bert-base-uncased', () => {
  const { padId, clsId, sepId, decId } = qformerTokenizer(made(), size + 1)
  assert.deepEqual([padId, clsId, sepId, decId], [0, 2, 3, size])
})

test('a [DEC] of the tokenizer is used', () => {
  const two = { bos_token: '[DEC]', additional_special_tokens: ['<image>'] }
  assert.equal(qformerTokenizer(made(two), size + 1).decId, size)
  assert.equal(qformerTokenizer(made({ bos_token: '[DEC]', pad_token: '[PAD]' }), size + 8).decId, size)
})

test('texts are cut to a length that counts [CLS] and [SEP]; nothing is padded', () => {
  const { encode } = qformerTokenizer(made(), size + 1)
  assert.deepEqual(encode('A cat', 32), [2, id('a'), id('cat'), 3])
  const long = encode('a cat '.repeat(50), 32)
  assert.equal(long.length, 32)
  assert.deepEqual([long[0], long[30], long[31]], [2, id('cat'), 3])
  assert.deepEqual(long.slice(1, 31), encode('a cat '.repeat(15), 32).slice(1, 31))
})

test('generated ids are decoded without special tokens', () => {
  for (const special of [{}, { bos_token: '[DEC]' }]) {
    const { decode, decId, sepId, padId } = qformerTokenizer(made(special), size + 1)
    assert.equal(decode([decId, id('a'), id('cat'), id('##s'), sepId, padId]), 'a cats')
  }
})

test("tokenizers that are not the Q-Former's are refused", () => {
  const refused = (make: () => unknown, message: string) =>
    assert.throws(make, (error) => {
      assert.ok(error instanceof CheckpointError)
      assert.equal(error.message, `tokenizer: ${message}; the Q-Former needs the tokenizer of bert-base-uncased`)
      return true
    })
  refused(() => qformerTokenizer(createTokenizer(optLike, {}), 300), 'no [PAD] among its 271 tokens')
  refused(() => qformerTokenizer(made(), size), `[DEC] has id ${size}, and the model ${size} tokens`)
  const bare = bertTokenizer(bertVocab.join('\n'), {}) as object
  refused(
    () => qformerTokenizer(createTokenizer({ ...bare, post_processor: null }, {}), size + 1),
    'expected [CLS] and [SEP] (2, 3) around a text, found ()',
  )
  const { encode } = qformerTokenizer(made({ bos_token: '[DEC]', additional_special_tokens: ['<image>'] }), size + 1)
  refused(() => encode('a <image>', 32), `a token of "a <image>" has id ${size + 1}, and the model ${size + 1} tokens`)
})
