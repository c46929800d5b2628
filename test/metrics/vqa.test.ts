/** Expected figures: VQAEval a013f00 under Python 2.7, LAVIS, mmpretrain; test/reference/metrics/README.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerAccuracy, vqaVariants } from '../../src/metrics/vqa/accuracy.ts'
import { evaluateVqa } from '../../src/metrics/vqa/evaluate.ts'
import { pairAnswers } from '../../src/metrics/vqa/json.ts'
import { normaliseWords, stripPunctuation, trimAnswer } from '../../src/metrics/vqa/normalise.ts'
import { readJson, synthetic } from './reference.ts'

const file = (name: string) => ({ name, content: readJson(synthetic(`vqa/${name}`)) })

test('every answer is normalised as by the official tool, step by step', () => {
  const steps: [string, [string, string]][] = Object.entries(file('normalisation.json').content.map)
  assert.ok(steps.length > 100)
  for (const [answer, [marks, words]] of steps) {
    assert.equal(stripPunctuation(trimAnswer(answer)), marks, JSON.stringify(answer))
    assert.equal(normaliseWords(marks), words, JSON.stringify(answer))
  }
})

for (const variant of vqaVariants) {
  test(`accuracy: ${variant}`, () => {
    const { ids, questions, predictions } = pairAnswers(
      file('questions.json'),
      file('annotations.json'),
      file('results.json'),
    )
    const expected = file('accuracy.json').content
    const scores = evaluateVqa(questions, predictions, variant)
    const perQuestion = new Map(
      expected.per_question.map((entry: Record<string, number>) => [entry.question_id, entry[variant]]),
    )
    ids.forEach((id, i) => {
      assert.ok(Math.abs(scores.perQuestion[i]! - (perQuestion.get(id) as number)) < 1e-9, `question ${id}`)
    })
    if (variant === 'mmpretrain') {
      assert.ok(Math.abs(scores.overall - expected.mmpretrain.acc) < 1e-9)
      return
    }
    const { full, rounded } = expected[variant]
    assert.ok(Math.abs(scores.overall - full.overall) < 1e-9)
    assert.equal(Number(scores.overall.toFixed(2)), rounded.overall)
    for (const kind of ['perAnswerType', 'perQuestionType'] as const) {
      assert.deepEqual(Object.keys(scores[kind]).sort(), Object.keys(full[kind]).sort())
      for (const [type, accuracy] of Object.entries(scores[kind])) {
        assert.ok(Math.abs(accuracy - full[kind][type]) < 1e-9, `${kind} ${type}`)
        assert.equal(Number(accuracy.toFixed(2)), rounded[kind][type])
      }
    }
  })
}

test('a person counts from 0 to 100 % in the official rule', () => {
  for (const [agreeing, accuracy] of [
    [0, 0],
    [1, 0.3],
    [2, 0.6],
    [3, 0.9],
    [4, 1],
  ] as const) {
    const answers = Array.from({ length: 10 }, (_, i) => ({
      answer: i < agreeing ? 'red' : `blue ${i}`,
      record: `${i}`,
    }))
    const question = { questionType: 'what', answerType: 'other', answers }
    assert.ok(Math.abs(answerAccuracy(question, 'red') - accuracy) < 1e-12, `${agreeing} of ten`)
  }
})

const small = {
  questions: { questions: [{ question_id: 1 }] },
  annotations: { annotations: [{ question_id: 1, question_type: 'a', answer_type: 'b', answers: [{ answer: 'c' }] }] },
}
test("results of LAVIS's and of `blip2 vqa --json`'s keys are accepted", () => {
  for (const key of ['answer', 'pred_ans', 'prediction', 'pred_answer']) {
    const { predictions } = pairAnswers(
      { name: 'Q', content: small.questions },
      { name: 'A', content: small.annotations },
      { name: 'R', content: [{ question_id: 1, [key]: 'c' }] },
    )
    assert.deepEqual(predictions, ['c'])
  }
})

const wrong: readonly [string, unknown, RegExp][] = [
  ['an unknown id', [{ question_id: 2, answer: 'x' }], /^DataError: A: question_id 2 of R not found/],
  ['a missing answer', [], /^DataError: R: question_id 1 of A not found/],
  [
    'an id twice',
    [
      { question_id: 1, answer: 'x' },
      { question_id: 1, answer: 'y' },
    ],
    /R\[1\]: question_id 1 is there twice/,
  ],
  ['no text', [{ question_id: 1, answer: 3 }], /R\[0\]: question_id 1: answer: expected a text, found 3/],
  ['the id as text', [{ question_id: '1', answer: 'x' }], /A: question_id "1" of R not found; 1 is another id/],
  ['an object', { answers: [] }, /R: expected a list, found \{"answers":\[\]\}/],
]
for (const [what, results, message] of wrong) {
  test(`results with ${what} are refused`, () => {
    const files = [
      { name: 'Q', content: small.questions },
      { name: 'A', content: small.annotations },
      { name: 'R', content: results },
    ] as const
    assert.throws(
      () => pairAnswers(...files),
      (error) => message.test(String(error)) || assert.fail(String(error)),
    )
  })
}
