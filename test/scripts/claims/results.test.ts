import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blindAccuracy, validations } from '../../../scripts/claims/results.ts'
import type { StepLine } from '../../../src/training/log.ts'

const question = (question_type: string, answer_type: string, multiple_choice_answer: string) => ({
  question_type,
  answer_type,
  multiple_choice_answer,
})

test('who does not look says what is most frequent: for the kind, else for the type of the answer', () => {
  const training = [
    question('colour', 'other', 'red'),
    question('colour', 'other', 'blue'),
    question('colour', 'other', 'blue'),
    question('exists', 'yes/no', 'no'),
  ]
  const asked = [
    question('colour', 'other', 'blue'), // right
    question('colour', 'other', 'red'),
    question('more', 'yes/no', 'no'), // right: not in training, but the type is
    question('more', 'yes/no', 'yes'),
    question('number', 'number', '2'), // neither
  ]
  assert.equal(blindAccuracy(training, asked), 40)
})

test('of two equally frequent answers the earlier one is said', () => {
  const training = ['b', 'a', 'a', 'b'].map((answer) => question('kind', 'other', answer))
  assert.equal(blindAccuracy(training, [question('kind', 'other', 'b')]), 100)
})

test('validations of a log', () => {
  const step: StepLine = {
    kind: 'step',
    ...{ step: 10, loss: 3, parts: {}, learning_rate: 0, gradient_norm: 1 },
    ...{ samples_per_second: 1, waiting: 0, memory: 1, seconds: 1 },
  }
  const validation = { kind: 'validation', step: 10, loss: 2.5, parts: {}, examples: [] } as const
  assert.deepEqual(validations([step, validation, { ...step, step: 20 }]), [{ step: 10, loss: 2.5 }])
})
