import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { parseMerges, parseVocabJson, parseVocabTxt } from '../../src/tokenizers/vocabulary.ts'

function refused(parse: () => unknown, message: string): void {
  assert.throws(parse, (error) => {
    assert.ok(error instanceof CheckpointError)
    assert.equal(error.message, message)
    return true
  })
}

test('vocab.txt: ids are line numbers; the last line may be open, lines may end as on Windows', () => {
  const expected = [
    ['[PAD]', 0],
    ['the', 1],
    ['##s', 2],
    ['__proto__', 3],
  ]
  for (const text of [
    '[PAD]\nthe\n##s\n__proto__',
    '[PAD]\nthe\n##s\n__proto__\n',
    '[PAD]\r\nthe\r\n##s\r\n__proto__\r\n',
  ])
    assert.deepEqual([...parseVocabTxt(text)], expected)
  assert.equal(parseVocabTxt('').size, 0)
})

test('vocab.txt: spaces that are no line feeds belong to a token', () => {
  assert.deepEqual(
    [...parseVocabTxt('a\u2028b\n\u00a0\n')],
    [
      ['a\u2028b', 0],
      ['\u00a0', 1],
    ],
  )
})

test('vocab.txt: damage is named by its line', () => {
  refused(() => parseVocabTxt('a\n\nb'), 'vocab.txt: line 2: expected a token, found an empty line')
  refused(() => parseVocabTxt('a\nb\nc\nb\n'), 'vocab.txt: line 4: "b" is the token of line 2 already')
})

test('vocab.json: token → id', () => {
  const vocab = parseVocabJson(JSON.parse('{"a": 1, "1999": 0, "__proto__": 7}'))
  assert.deepEqual([vocab.get('a'), vocab.get('1999'), vocab.get('__proto__'), vocab.size], [1, 0, 7, 3])
})

test('vocab.json: damage is named by its token', () => {
  refused(() => parseVocabJson([]), 'vocab.json: expected an object, found a list')
  for (const id of [-1, 1.5, '3', null, 1e7])
    refused(
      () => parseVocabJson({ a: id }),
      `vocab.json: "a": expected the id of a token, a whole number, found ${JSON.stringify(id)}`,
    )
  refused(() => parseVocabJson({ a: 4, b: 4 }), 'vocab.json: "b": id 4 belongs to "a" already')
})

const vocab = new Map(['a', 'b', 'ab', '#', '##'].map((token, id) => [token, id]))

test('merges.txt: pairs in order, without the line of the version', () => {
  const expected = [
    ['a', 'b'],
    ['#', '#'],
  ]
  for (const text of ['#version: 0.2\na b\n# #\n', 'a b\n# #', '#version: 0.2 - Trained by x\r\na b\r\n# #\r\n'])
    assert.deepEqual(parseMerges(text, vocab), expected)
})

test('merges.txt: damage is named by its line', () => {
  const line = (text: string) => `expected two tokens and one space, found ${JSON.stringify(text)}`
  refused(() => parseMerges('#version: 0.2\na b\nab\n', vocab), `merges.txt: line 3: ${line('ab')}`)
  refused(() => parseMerges('#version: 0.2\na b\na ', vocab), `merges.txt: line 3: ${line('a ')}`)
  refused(() => parseMerges('a b\n\n# #\n', vocab), `merges.txt: line 2: ${line('')}`)
  refused(() => parseMerges('a b ab', vocab), `merges.txt: line 1: ${line('a b ab')}`)
  refused(
    () => parseMerges('a b\nb a\n', vocab),
    'merges.txt: line 2: "ba" is not in vocab.json; are both files whole, and of one model?',
  )
})
