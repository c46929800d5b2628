/** By hand: the official tool compares texts, counts balanced questions only, and calls all but `query` binary. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateGqa } from '../../src/metrics/gqa/evaluate.ts'
import { pairGqaAnswers } from '../../src/metrics/gqa/json.ts'

const question = (answer: string, structural: string, semantic: string, isBalanced = true) => ({
  question: 'x?',
  imageId: '1',
  answer,
  isBalanced,
  types: { structural, semantic, detailed: 'y' },
})
const official = {
  '02930152': question('yes', 'verify', 'attr'),
  '201307251': question('red', 'query', 'attr'),
  '201307252': question('left', 'choose', 'rel'),
  '201307253': question('two dogs', 'query', 'obj'),
  '201307254': question('no', 'verify', 'obj', false),
}
const pair = (results: unknown, content: unknown = official) =>
  pairGqaAnswers({ name: 'Q.json', content }, { name: 'R.json', content: results })
const answers: [string, string][] = [
  ['02930152', 'Yes'],
  ['201307251', 'red'],
  ['201307252', 'right'],
  ['201307253', 'the 2 dogs.'],
]

test('official: equal texts, in percent, by type', () => {
  const { questions, predictions, unbalanced } = pair(
    answers.map(([questionId, prediction]) => ({ questionId, prediction })),
  )
  assert.equal(unbalanced, 1)
  assert.deepEqual(evaluateGqa(questions, predictions), {
    accuracy: 25,
    binary: 0,
    open: 50,
    accuracyPerStructuralType: { query: 50, choose: 0, verify: 0 },
    accuracyPerSemanticType: { attr: 50, rel: 0, obj: 0 },
    perQuestion: [100, 0, 0, 0],
  })
})

test('lavis: both texts normalised', () => {
  const { ids, questions, predictions } = pair(
    answers.map(([question_id, answer]) => ({ question_id: Number(question_id), answer })).slice(1),
    Object.entries(official)
      .slice(0, 3)
      .map(([question_id, { answer }]) => ({ question_id, question: 'x?', image: '1.jpg', answer })),
  )
  assert.deepEqual(ids, ['201307251', '201307252', '201307253'])
  // "the 2 dogs." against "two dogs"; no types in LAVIS's files
  assert.deepEqual(evaluateGqa(questions, predictions, 'lavis'), {
    accuracy: 200 / 3,
    accuracyPerStructuralType: {},
    accuracyPerSemanticType: {},
    perQuestion: [100, 0, 100],
  })
})

test("LAVIS's result file is accepted", () => {
  const { predictions } = pair(
    [{ question_id: 7, pred_ans: 'cat', gt_ans: 'dog' }],
    [{ question_id: '7', answer: 'dog' }],
  )
  assert.deepEqual(predictions, ['cat'])
})

const wrong: readonly [string, unknown, unknown, RegExp][] = [
  [
    'an unknown id',
    [{ question_id: 2, answer: 'x' }],
    official,
    /^DataError: Q\.json: question_id "2" of R\.json not found/,
  ],
  ['no answer', [], official, /^DataError: R\.json: question_id "201307251" and 3 others of Q\.json not found/],
  [
    'an id twice',
    [
      { questionId: '7', prediction: 'x' },
      { question_id: 7, answer: 'x' },
    ],
    official,
    /R\.json\[1\]: question_id "7" is there twice/,
  ],
  ['no text', [{ questionId: '7' }], official, /R\.json\[0\]: questionId "7": answer: expected a text, found nothing/],
  ['no id', [{ prediction: 'x' }], official, /R\.json\[0\]\.question_id: expected a number or a text, found nothing/],
  ['an object of results', {}, official, /R\.json: expected a list, found \{\}/],
  [
    'a question of the test split',
    [],
    { 7: { question: 'x?' } },
    /Q\.json: question "7" has no answer; those of the test/,
  ],
  [
    'an odd type',
    [],
    { 7: { answer: 'x', types: { semantic: 1 } } },
    /question "7": types\.semantic: expected a text, found 1/,
  ],
  ['a question that is none', [], { questions: [] }, /Q\.json: question "questions": expected an object, found \[\]/],
  [
    'a question twice',
    [],
    [1, 1].map((question_id) => ({ question_id, answer: 'x' })),
    /Q\.json\[1\]: question_id "1" is there/,
  ],
  ['no question', [], {}, /Q\.json: expected at least one question, found none/],
]
for (const [what, results, questions, message] of wrong) {
  test(`${what}: refused`, () => {
    assert.throws(
      () => pair(results, questions),
      (error) => message.test(String(error)) || assert.fail(String(error)),
    )
  })
}

test('another number of answers than of questions: refused', () => {
  assert.throws(() => evaluateGqa([{ answer: 'x' }], []), { message: /answer to each of 1 questions, found 0/ })
})
