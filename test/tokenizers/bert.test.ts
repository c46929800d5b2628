/** Ids by the vocabulary's lines below. The rules: BERT's basic tokenizer and WordPiece (longest match first). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { bertTokenizer } from '../../src/tokenizers/bert.ts'
import { createTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { bertVocab } from './models.ts'

const text = bertVocab.join('\n')
const made = (config: object) => createTokenizer(bertTokenizer(text, { 'tokenizer_config.json': config }), config)
const bert = made({})
/** Ids between [CLS] (2) and [SEP] (3). */
const words = (of: string, tokenizer = bert) => tokenizer.encode(of).slice(1, -1)
const id = (token: string) => bertVocab.indexOf(token)

test('[CLS] in front, [SEP] behind', () => {
  assert.deepEqual(bert.encode('a cat.'), [2, id('a'), id('cat'), id('.'), 3])
  assert.deepEqual(bert.encode(''), [2, 3])
  assert.equal(bert.vocabSize, bertVocab.length)
})

test('words fall into the longest pieces, or are unknown as a whole', () => {
  assert.deepEqual(words('cats'), [id('cat'), id('##s')])
  assert.deepEqual(words('unbelievable'), [id('un'), id('##believ'), id('##able')])
  assert.deepEqual(words('unbelievably cat'), [id('[UNK]'), id('cat')])
  assert.deepEqual(words(`a${'s'.repeat(99)}`), [id('a'), ...Array(99).fill(id('##s'))])
  assert.deepEqual(words(`a${'s'.repeat(100)} a`), [id('[UNK]'), id('a')], 'more than 100 letters')
})

test('lower case without accents', () => {
  for (const spelling of ['CAFE', 'Café', 'cafe\u0301', 'ÇÀFÉ'.normalize('NFD')])
    assert.deepEqual(words(spelling), [id('cafe')])
})

test('punctuation and Chinese characters are words of their own', () => {
  assert.deepEqual(words("don't,a.cat"), ['don', "'", 't', ',', 'a', '.', 'cat'].map(id))
  assert.deepEqual(words('cat猫犬a'), ['cat', '猫', '犬', 'a'].map(id))
})

test('control characters vanish, all kinds of spaces separate', () => {
  assert.deepEqual(words('c\u200bat\0s\ufffd'), [id('cat'), id('##s')])
  assert.deepEqual(words(' \t a\u00a0cat\r\n\u3000a '), ['a', 'cat', 'a'].map(id))
})

test('special tokens in a text are themselves, in this spelling only', () => {
  assert.deepEqual(words('cat[MASK]a [SEP]'), ['cat', '[MASK]', 'a', '[SEP]'].map(id))
  assert.deepEqual(words('[mask]'), [id('[UNK]'), id('[UNK]'), id('[UNK]')])
})

test('decoding joins the pieces', () => {
  const ids = bert.encode("Don't, unbelievable cats!")
  assert.equal(bert.decode(ids, { skipSpecialTokens: true }), "don't, unbelievable cats!")
  assert.equal(bert.decode(bert.encode('a cat')), '[CLS] a cat [SEP]')
})

test('tokenizer_config.json decides about case, accents and Chinese characters', () => {
  const cased = made({ do_lower_case: false })
  assert.deepEqual(words('cat Cat café', cased), [id('cat'), id('[UNK]'), id('[UNK]')])
  assert.deepEqual(words('café', made({ do_lower_case: false, strip_accents: true })), [id('cafe')])
  assert.deepEqual(words('CAT Café', made({ strip_accents: false })), [id('cat'), id('[UNK]')])
  assert.deepEqual(words('Café', made({ strip_accents: null, tokenizer_class: 'BertTokenizerFast' })), [id('cafe')])
  assert.deepEqual(words('猫犬', made({ tokenize_chinese_chars: false })), [id('[UNK]')])
})

test("the Q-Former's [DEC] is the token after the vocabulary", () => {
  const map = { bos_token: '[DEC]', cls_token: '[CLS]' }
  const json = bertTokenizer(text, { 'special_tokens_map.json': map })
  const tokenizer = createTokenizer(json, {})
  assert.equal(tokenizer.tokenId('[DEC]'), bertVocab.length)
  assert.deepEqual(words('[DEC] a', tokenizer), [bertVocab.length, id('a')])
})

test('files that are not of a BERT, or not whole, are named', () => {
  const refused = (vocab: string, config: object, message: string) =>
    assert.throws(
      () => bertTokenizer(vocab, { 'tokenizer_config.json': config }),
      (error) => {
        assert.ok(error instanceof CheckpointError)
        assert.equal(error.message, message)
        return true
      },
    )
  refused('<!DOCTYPE html>\n<html>', {}, 'vocab.txt: no [CLS] in its 2 lines; is it the whole vocabulary of a BERT?')
  refused('[CLS]\n[SEP]\n', {}, 'vocab.txt: no [UNK] in its 2 lines; is it the whole vocabulary of a BERT?')
  refused(
    text,
    { cls_token: null },
    `vocab.txt: no cls_token in its ${bertVocab.length} lines; is it the whole vocabulary of a BERT?`,
  )
  refused(
    text,
    { tokenizer_class: 'XLMTokenizer' },
    'tokenizer_config.json: tokenizer_class: vocab.txt can be read for BertTokenizer, found "XLMTokenizer"; give a tokenizer.json',
  )
  refused(text, { do_lower_case: 'yes' }, 'tokenizer_config.json: do_lower_case: expected true or false, found "yes"')
  refused(
    text,
    { do_basic_tokenize: false },
    'tokenizer_config.json: do_basic_tokenize: false is not supported; give a tokenizer.json',
  )
})
