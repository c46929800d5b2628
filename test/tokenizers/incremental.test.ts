import assert from 'node:assert/strict'
import { test } from 'node:test'
import { incrementalDecoder } from '../../src/tokenizers/incremental.ts'
import { createTokenizer, type TextTokenizer } from '../../src/tokenizers/tokenizer.ts'
import { optLike, t5Like } from './models.ts'

const opt = createTokenizer(optLike, {})
const t5 = createTokenizer(t5Like, { eos_token: '</s>' })

function pieces(tokenizer: TextTokenizer, ids: readonly number[]): string[] {
  const decoder = incrementalDecoder(tokenizer)
  return [...ids.map((id) => decoder.push(id)), decoder.end()]
}

test('words appear as their tokens arrive, special tokens print nothing', () => {
  assert.deepEqual(pieces(opt, [2, 262, 266, 1]), ['', ' cat', ' dog', '', ''])
  assert.deepEqual(pieces(t5, [7, 4, 5, 1]), ['two', ' cat', 's', '', ''])
})

test('a character of several bytes appears when it is whole', () => {
  assert.deepEqual(pieces(opt, opt.encode('a🐱é')), ['', 'a', '', '', '', '🐱', '', 'é', ''])
})

test('bytes that never become a character are shown once it is certain', () => {
  const [, broken] = opt.encode('é')
  assert.deepEqual(pieces(opt, [broken!, 261]), ['', '\uFFFDcat', ''])
  assert.deepEqual(pieces(opt, [261, broken!]), ['cat', '', '\uFFFD'])
})

test('what the clean-up may still change is held back', () => {
  const ids = opt.encode(" cat n't .")
  assert.equal(opt.decode(ids, { skipSpecialTokens: true }), " catn't.")
  assert.deepEqual(pieces(opt, ids), ['', ' cat', '', "n't", '.', ''])
})

test('any sequence of ids: the pieces join to the decoded text', () => {
  let seed = 7
  const random = () => {
    seed = (seed * 48271) % (2 ** 31 - 1)
    return seed / 2 ** 31
  }
  for (let round = 0; round < 2000; round++) {
    const ids = Array.from({ length: 12 }, () => Math.floor(random() * 275))
    assert.equal(pieces(opt, ids).join(''), opt.decode(ids, { skipSpecialTokens: true }), ids.join())
  }
  const awkward = [" ' ", " 's", " 've", ' n', " n't", ' ,', ' .', ' ?', ' !', " '", ' ', 'v', 'e', "'t", 'é', '🐱']
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: 8 }, () => awkward[Math.floor(random() * awkward.length)]).join('')
    const ids = opt.encode(text)
    assert.equal(pieces(opt, ids).join(''), opt.decode(ids, { skipSpecialTokens: true }), JSON.stringify(text))
  }
})
