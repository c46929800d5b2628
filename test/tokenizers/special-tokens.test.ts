import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { readSpecialTokens, type SettingsFiles } from '../../src/tokenizers/special-tokens.ts'

const vocab = new Map(['[PAD]', '[UNK]', 'the', '</s>'].map((token, id) => [token, id]))
const defaults = { unk_token: '[UNK]', pad_token: '[PAD]' } as const

const table = (files: SettingsFiles, from: typeof defaults | object = defaults) =>
  readSpecialTokens(vocab, from, files).all.map(({ content, id, special }) => [content, id, special])

function refused(files: SettingsFiles, message: string): void {
  assert.throws(
    () => readSpecialTokens(vocab, defaults, files),
    (error) => {
      assert.ok(error instanceof CheckpointError)
      assert.equal(error.message, message)
      return true
    },
  )
}

test('defaults, and what the files say instead', () => {
  assert.deepEqual(table({}), [
    ['[UNK]', 1, true],
    ['[PAD]', 0, true],
  ])
  const config = { unk_token: '</s>', pad_token: { content: '</s>', lstrip: true, normalized: true } }
  const special = readSpecialTokens(vocab, defaults, { 'tokenizer_config.json': config })
  assert.equal(special.of('unk_token')?.id, 3)
  assert.deepEqual(special.of('pad_token'), {
    id: 3,
    content: '</s>',
    single_word: false,
    lstrip: true,
    rstrip: false,
    normalized: true,
    special: true,
  })
  assert.equal(special.of('bos_token'), undefined)
})

test('special_tokens_map.json is stronger than tokenizer_config.json, and null takes a token away', () => {
  const files = {
    'tokenizer_config.json': { unk_token: 'the', pad_token: null },
    'special_tokens_map.json': { unk_token: '</s>' },
  }
  const special = readSpecialTokens(vocab, defaults, files)
  assert.deepEqual([special.of('unk_token')?.id, special.of('pad_token')], [3, undefined])
  assert.equal(special.all.length, 1)
})

test('special tokens that the vocabulary lacks get the next ids, behind the added ones', () => {
  // LAVIS saves its tokenizer with {"bos_token": "[DEC]"}: id 30522 there, 4 here.
  assert.deepEqual(table({ 'special_tokens_map.json': { bos_token: '[DEC]' } }, {}), [['[DEC]', 4, true]])
  const files = {
    'special_tokens_map.json': { bos_token: '[DEC]', additional_special_tokens: ['<one>', { content: '<image>' }] },
    'added_tokens.json': { '[DEC]': 4, plain: 5 },
  }
  assert.deepEqual(table(files, {}), [
    ['[DEC]', 4, true],
    ['plain', 5, false],
    ['<one>', 6, true],
    ['<image>', 7, true],
  ])
})

test('the tokens of added_tokens_decoder, with those of added_tokens.json', () => {
  const decoder = {
    '0': { content: '[PAD]', special: true },
    '4': { content: '<image>', special: true },
    '5': { content: 'plain' },
  }
  const files = { 'tokenizer_config.json': { added_tokens_decoder: decoder }, 'added_tokens.json': { '<image>': 4 } }
  assert.deepEqual(table(files, {}), [
    ['<image>', 4, true],
    ['[PAD]', 0, true],
    ['plain', 5, false],
  ])
})

test('damage is named by its file and place', () => {
  refused({ 'special_tokens_map.json': [] }, 'special_tokens_map.json: expected an object, found a list')
  refused(
    { 'special_tokens_map.json': { bos_token: 7 } },
    'special_tokens_map.json: bos_token: expected an object, found number',
  )
  refused(
    { 'tokenizer_config.json': { bos_token: {} } },
    'tokenizer_config.json: bos_token: expected the text of a token, found undefined',
  )
  refused(
    { 'tokenizer_config.json': { bos_token: { content: 'x', lstrip: 'no' } } },
    'tokenizer_config.json: bos_token: lstrip: expected true or false, found "no"',
  )
  refused(
    { 'special_tokens_map.json': { additional_special_tokens: '<image>' } },
    'special_tokens_map.json: additional_special_tokens: expected a list',
  )
  refused(
    { 'added_tokens.json': { x: '5' } },
    'added_tokens.json: "x": expected the id of a token, a whole number, found "5"',
  )
  refused({ 'added_tokens.json': { x: 2 } }, 'added_tokens.json: "x" has id 2, which is that of "the"')
  refused({ 'added_tokens.json': { the: 9 } }, 'added_tokens.json: "the" has id 9 here and 2 elsewhere')
  refused(
    { 'tokenizer_config.json': { added_tokens_decoder: { x: { content: 'y' } } } },
    'tokenizer_config.json: added_tokens_decoder: expected the id of a token, a whole number, found null',
  )
})
