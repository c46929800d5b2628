import assert from 'node:assert/strict'
import { test } from 'node:test'
import { byteCharacters, byteLevelTokenizer } from '../../src/tokenizers/byte-level.ts'
import { createTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { specialToken } from '../../src/tokenizers/tokenizer-json.ts'

test('every byte has a character, as in the vocabularies of GPT-2 and OPT', () => {
  assert.equal(new Set(byteCharacters).size, 256)
  // A space is Ġ, a line feed Ċ, the soft hyphen Ń (U+0143, the last of 68); ! ~ ¡ ¬ ® ÿ are themselves.
  const at = (...bytes: number[]) => bytes.map((byte) => byteCharacters[byte]).join('')
  assert.equal(at(0x20, 0x0a, 0x00, 0xad), 'ĠĊĀŃ')
  assert.equal(at(0x21, 0x7e, 0xa1, 0xac, 0xae, 0xff), '!~¡¬®ÿ')
})

const tokens = ['<unk>', 'Ġ', 'c', 'a', 't', 'at', 'Ġcat']
const vocab = new Map(tokens.map((token, id) => [token, id]))
const unknown = { id: 0, ...specialToken('<unk>') }
const plain = { vocab, merges: [['a', 't']] as [string, string][], addedTokens: [unknown] }
const ids = (parts: Partial<Parameters<typeof byteLevelTokenizer>[0]>, text: string) =>
  createTokenizer(byteLevelTokenizer({ ...plain, ...parts }), {}).encode(text)

test('merges by rank; nothing in front unless asked for', () => {
  assert.deepEqual(ids({}, 'cat cat'), [2, 5, 1, 2, 5])
  assert.deepEqual(ids({ start: unknown }, 'at'), [0, 5])
})

test('a prefix space, whole words, unknown bytes', () => {
  assert.deepEqual(ids({ addPrefixSpace: true }, 'at'), [1, 5])
  assert.deepEqual(ids({ wholeWords: true }, 'cat cat'), [2, 5, 6])
  assert.deepEqual(ids({}, 'xat'), [5])
  assert.deepEqual(ids({ unknown }, 'xyat'), [0, 5])
})
