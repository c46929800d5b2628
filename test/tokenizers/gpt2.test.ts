import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { gpt2Tokenizer } from '../../src/tokenizers/gpt2.ts'
import type { SettingsFiles } from '../../src/tokenizers/special-tokens.ts'
import { createTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { optLike, optMerges, optVocab } from './models.ts'

const vocabJson = (tokens: readonly string[]) => Object.fromEntries(tokens.map((token, id) => [token, id]))
const merges = `#version: 0.2\n${optMerges.join('\n')}\n`
/** As facebook/opt-2.7b has it. */
const token = (content: string) => ({ content, single_word: false, lstrip: false, rstrip: false, normalized: true })
const optConfig = {
  errors: 'replace',
  unk_token: token('</s>'),
  bos_token: token('</s>'),
  eos_token: token('</s>'),
  pad_token: token('<pad>'),
  add_prefix_space: false,
  add_bos_token: true,
  special_tokens_map_file: null,
  tokenizer_class: 'GPT2Tokenizer',
}
const made = (files: SettingsFiles, tokens: readonly string[] = optVocab) =>
  createTokenizer(gpt2Tokenizer(vocabJson(tokens), merges, files), files['tokenizer_config.json'] ?? {})

test("OPT's files give what its tokenizer.json gives, with and without its configuration", () => {
  const expected = createTokenizer(optLike, {})
  for (const files of [{ 'tokenizer_config.json': optConfig }, {}]) {
    const opt = made(files)
    assert.equal(opt.vocabSize, 270)
    for (const text of ['', 'cat cat dogs', " a cat n't .", 'naïve 猫\n\t🐱', 'cat</s> cat<pad>']) {
      assert.deepEqual(opt.encode(text), expected.encode(text), text)
      const ids = opt.encode(text)
      for (const skipSpecialTokens of [false, true])
        assert.equal(opt.decode(ids, { skipSpecialTokens }), expected.decode(ids, { skipSpecialTokens }), text)
    }
  }
})

test('ids by hand: </s>, then pieces by rank', () => {
  // 256 bytes from 4 on, then the merges in order: 260 ca, 261 cat, 262 Ġcat, …, 266 Ġdog.
  assert.deepEqual(made({}).encode('cat cat dogs'), [2, 261, 262, 266, 4 + 's'.charCodeAt(0)])
  assert.deepEqual(made({}).encode('cat dogs cat', { maxLength: 3 }), [2, 261, 266])
})

test("BLIP-2's <image> from added_tokens.json, or named as a special token", () => {
  for (const files of [
    { 'added_tokens.json': { '<image>': 270 } },
    { 'special_tokens_map.json': { additional_special_tokens: ['<image>'] } },
  ])
    assert.deepEqual(made(files).encode('cat<image>'), [2, 261, 270])
})

test('GPT-2: nothing in front, <|endoftext|> is special', () => {
  const tokens = [...optVocab.slice(4), '<|endoftext|>']
  const gpt2 = made({}, tokens)
  assert.deepEqual(gpt2.encode('cat'), [tokens.indexOf('cat')])
  assert.equal(gpt2.decode(gpt2.encode('cat<|endoftext|>'), { skipSpecialTokens: true }), 'cat')
  const both = made({}, [...optVocab, '<|endoftext|>'])
  assert.deepEqual(both.encode('cat'), [2, 261], "OPT's vocabulary has both")
})

test('tokenizer_config.json decides about the start and the prefix space', () => {
  assert.deepEqual(made({ 'tokenizer_config.json': { ...optConfig, add_bos_token: false } }).encode('cat'), [261])
  assert.deepEqual(made({ 'tokenizer_config.json': { ...optConfig, add_prefix_space: true } }).encode('cat'), [2, 262])
})

test('files that are not of a GPT-2, or not whole, are named', () => {
  const refused = (tokens: readonly string[], config: object, message: string) =>
    assert.throws(
      () => gpt2Tokenizer(vocabJson(tokens), merges, { 'tokenizer_config.json': config }),
      (error) => {
        assert.ok(error instanceof CheckpointError)
        assert.equal(error.message, message)
        return true
      },
    )
  refused(
    optVocab,
    { tokenizer_class: 'CLIPTokenizer' },
    'tokenizer_config.json: tokenizer_class: vocab.json and merges.txt can be read for GPT2Tokenizer, found "CLIPTokenizer"; give a tokenizer.json',
  )
  refused(optVocab, { add_bos_token: 1 }, 'tokenizer_config.json: add_bos_token: expected true or false, found 1')
  refused(
    optVocab,
    { ...optConfig, bos_token: '<start>' },
    'vocab.json: no <start> among its 270 tokens; is it the file of the model?',
  )
  refused(
    optVocab.slice(0, -1),
    optConfig,
    `merges.txt: line 11: "'t" is not in vocab.json; are both files whole, and of one model?`,
  )
})
