/** Expected texts: the `re` calls of LAVIS (506965b) by hand, and its outputs where REFERENCE_DIR has them. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { captionText, questionText } from '../../src/tokenizers/lavis-text.ts'
import { referenceDir } from '../support/paths.ts'

test('captions: marks become spaces, runs of spaces one', () => {
  assert.equal(captionText('a.b!c"d(e)f*g#h:i;j~k'), 'a b c d e f g h i j k')
  assert.equal(captionText('  Two   cats;  one (small) dog!\n'), 'two cats one small dog')
  assert.equal(captionText('It\'s a "test" - with, #hash & *stars*?'), "it's a test - with, hash & stars ?")
  assert.equal(captionText('dots... and ends.'), 'dots and ends')
  assert.equal(captionText(''), '')
})

test('captions: one tab or line feed stays, two spaces of any kind are one', () => {
  assert.equal(captionText('tabs\tand\nnewlines\n\n'), 'tabs\tand\nnewlines')
  assert.equal(captionText('a\t b\u00a0\u3000c\x1c\x1fd\x85\x85e'), 'a b c d e')
  assert.equal(captionText('a\ufeff\ufeffb'), 'a\ufeff\ufeffb', "Python's \\s has no byte order mark")
  assert.equal(captionText('a\n'), 'a')
  assert.equal(captionText('a\r'), 'a\r')
})

test('questions: marks vanish, spaces stay', () => {
  assert.equal(questionText('a.b!c"d(e)f*g#h:i;j~k'), 'abcdefghijk')
  assert.equal(questionText('  What   IS; this (thing)?  '), '  what   is this thing?')
  assert.equal(questionText('newlines\n\n'), 'newlines\n\n')
})

test('at most so many words; between two spaces there is one, without letters', () => {
  const words = Array.from({ length: 57 }, (_, i) => `word${i}`)
  assert.equal(captionText(words.join('  ')), words.slice(0, 50).join(' '))
  assert.equal(questionText(words.join(' ')), words.slice(0, 50).join(' '))
  assert.equal(captionText('one two three', 2), 'one two')
  assert.equal(questionText('one  two three', 2), 'one ')
})

const file = join(referenceDir, 'preprocess', 'text_processors.json')
const skip = !existsSync(file) && 'no preprocess folder in the reference tree; name one that has it by REFERENCE_DIR'

test('the cases of LAVIS', { skip }, () => {
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Record<string, string>[] }
  assert.ok(cases.length > 0)
  for (const { text, ...expected } of cases) {
    assert.deepEqual(
      {
        blip_caption: captionText(text!),
        blip_caption_prompted: `a photo of ${captionText(text!)}`,
        blip_question: questionText(text!),
        blip_caption_max_words_5: captionText(text!, 5),
      },
      expected,
    )
  }
})
