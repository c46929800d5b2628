import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../../src/errors.ts'
import { textReader } from '../../../src/tasks/matching/text-reader.ts'

/** A token for each letter between [CLS] 1 and [SEP] 2. */
const tokenizer = {
  encode: (text: string, maxLength: number) => [1, ...Array.from(text, () => 7).slice(0, maxLength - 2), 2],
  decode: String,
  padId: 0,
  clsId: 1,
  sepId: 2,
  decId: 3,
}

test('a long text is cut, which is said once', () => {
  const notices: string[] = []
  const read = textReader(tokenizer, 20, (text) => notices.push(text))
  assert.deepEqual(read('abc', 5), [1, 7, 7, 7, 2])
  assert.deepEqual(notices, [])
  assert.deepEqual(read('abcd', 5), [1, 7, 7, 7, 2])
  assert.deepEqual(read('abcde', 5), [1, 7, 7, 7, 2])
  assert.deepEqual(notices, ['texts of more than 5 tokens are cut there, the first one is: abcd'])
  assert.deepEqual(textReader(tokenizer, 20)('abcd', 3), [1, 7, 2]) // nobody to tell
})

test('a length that the model cannot read is a ConfigError', () => {
  const read = textReader(tokenizer, 20)
  for (const length of [2, 21, 4.5, Number.NaN]) {
    assert.throws(
      () => read('a', length),
      (error: Error) =>
        error instanceof ConfigError && error.message.startsWith('maxTextLength: expected an integer from 3 to 20'),
    )
  }
})
