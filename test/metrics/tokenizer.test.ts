/** Expected tokens: PTBTokenizer of Stanford CoreNLP 3.4.1 through the official wrapper; test/reference/metrics/README.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenAt } from '../../src/metrics/caption/ptb-lexer.ts'
import { tokenize } from '../../src/metrics/caption/ptb-tokenizer.ts'
import { readJson, readLines, synthetic } from './reference.ts'

const alone: { cat: string; raw: string; tok: string }[] = readLines(synthetic('caption/tokenizer/alone.jsonl'))

for (const category of new Set(alone.map(({ cat }) => cat))) {
  test(`one caption alone: ${category}`, () => {
    for (const { cat, raw, tok } of alone)
      if (cat === category) assert.deepEqual(tokenize([raw]), [tok], JSON.stringify(raw))
  })
}

test('whole calls: empty captions, line ends inside captions, the look past the end of a line', () => {
  const calls: { raw: string[]; tok: string[] }[] = readJson(synthetic('caption/tokenizer/whole-calls.json'))
  for (const { raw, tok } of calls) assert.deepEqual(tokenize(raw), tok, JSON.stringify(raw))
})

test('a next line is no line of the tool, \\r\\n is one', () => {
  assert.deepEqual(tokenize(['a dog\x85a cat \x85', 'second']), ['a dog a cat', 'second'])
  assert.deepEqual(tokenize(['corner No.\r\n5 x', 'second', 'third']), ['corner no', '5 x', 'second'])
  assert.deepEqual(tokenize(['a No.', '5 dogs']), ['a no.', '5 dogs'])
  assert.deepEqual(tokenize(['a No.', ' 5 dogs']), ['a no', '5 dogs'])
})

test('abbreviations keep their period, words of the same letters do not', () => {
  assert.deepEqual(tokenize(['a car wash.', 'Spokane, Wash.', 'an ill.', 'Ill. roads', 'Mr. A', '']), [
    'a car wash',
    'spokane wash.',
    'an ill',
    'ill. roads',
    'mr. a',
    '',
  ])
})

test('no caption, no tokens', () => {
  assert.deepEqual(tokenize([]), [])
})

/** The lexer alone, token by token, without the look-up of pieces that were seen before. */
function slowly(captions: readonly string[]): string[] {
  const dropped = new Set(["''", "'", '``', '`', '.', '?', '!', ',', ':', '-', '--', '...', ';'])
  const text = captions.join('\n')
  const lines: string[][] = [[]]
  for (let position = 0; position < text.length; ) {
    if (/[ \n]/.test(text.charAt(position))) {
      if (text.charAt(position++) === '\n') lines.push([])
      continue
    }
    const token = tokenAt(text, position)
    if (token.text !== '' && !dropped.has(token.text)) lines.at(-1)?.push(token.text.toLowerCase())
    position = token.end
  }
  return lines.map((line) => line.join(' '))
}

test('pieces that were seen before give the same tokens as the lexer', () => {
  const captions = alone.map(({ raw }) => raw).filter((raw) => /^[ -~]*$/.test(raw))
  assert.deepEqual(tokenize(captions), slowly(captions))
  assert.deepEqual(tokenize(captions.toReversed()), slowly(captions.toReversed()))
})
