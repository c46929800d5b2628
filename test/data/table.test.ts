import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson, sampleFromRow, shown } from '../../src/data/table.ts'
import { DataError } from '../../src/errors.ts'

test('captions and answers under the names that published sets give them', () => {
  for (const [row, sample] of [
    [
      { image: 'a.jpg', caption: ' a dog ' },
      { image: 'a.jpg', texts: ['a dog'] },
    ],
    [
      { file_name: 'a.jpg', text: ['one', '', 'two'] },
      { image: 'a.jpg', texts: ['one', 'two'] },
    ],
    [
      { image_path: 'a.jpg', image: null, captions: ['one'], width: 3 },
      { image: 'a.jpg', texts: ['one'] },
    ],
    [
      { question: ' what? ', answers: ['dog', 'dog', 2] },
      { question: 'what?', texts: ['dog', 'dog', '2'] },
    ],
    [
      { question: 'what?', answer: 'dog', caption: 'not asked for' },
      { question: 'what?', texts: ['dog'] },
    ],
  ] as const)
    assert.deepEqual(sampleFromRow(row, 'set.jsonl:3'), { key: 'set.jsonl:3', ...sample })
})

test('what is missing or of another kind is an error with place, name and value', () => {
  for (const [row, message] of [
    [null, 'expected fields and their values, found null'],
    ['a dog', 'expected fields and their values, found "a dog"'],
    [['a dog'], 'expected fields and their values, found ["a dog"]'],
    [{ image: 'a.jpg', title: 'a dog' }, 'no caption; found the fields image, title'],
    [{ image: 'a.jpg', caption: '  ' }, 'no caption; found the fields image, caption'],
    [{ image: 'a.jpg', caption: [] }, 'no caption; found the fields image, caption'],
    [{ caption: { en: 'a dog' } }, 'caption: expected a text or a list of texts, found {"en":"a dog"}'],
    [{ caption: ['a dog', null] }, 'caption: expected a text or a list of texts, found null'],
    [{ caption: true }, 'caption: expected a text or a list of texts, found true'],
    [{ image: 7, caption: 'a dog' }, 'image: expected the name of a file, found 7'],
    [{ image: '', caption: 'a dog' }, 'image: expected the name of a file, found ""'],
    [{ question: 'what?' }, 'no answer; found the fields question'],
    [{ question: 'what?', answer: [['dog']] }, 'answer: expected a text or a list of texts, found ["dog"]'],
    [{ question: '', answer: 'dog' }, 'question: expected a text, found ""'],
    [{ question: 3, answer: 'dog' }, 'question: expected a text, found 3'],
  ] as const)
    assert.throws(() => sampleFromRow(row, 'set.jsonl:3'), new DataError(`set.jsonl:3: ${message}`))
})

test('JSON that cannot be read is named', () => {
  assert.deepEqual(parseJson('{"a":1}', 'x.json'), { a: 1 })
  assert.throws(
    () => parseJson('{"a":', 'x.json'),
    (error) => error instanceof DataError && /^x\.json: not JSON: /.test(error.message),
  )
})

test('a long value is cut', () => {
  assert.equal(shown('x'.repeat(100)), `"${'x'.repeat(59)}…`)
  assert.equal(shown(undefined), 'undefined')
})
