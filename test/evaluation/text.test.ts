import assert from 'node:assert/strict'
import { test } from 'node:test'
import { processCaption, processQuestion } from '../../src/evaluation/text.ts'

const question = ' What’s the dog (a "Poodle")  DOING; by the T.V.? '

test('questions', () => {
  assert.equal(processQuestion('as-is', question), question)
  // By hand, after blip_question (LAVIS 506965b) and CleanCaption (mmpretrain ee7f2e8).
  assert.equal(processQuestion('lavis', question), ' what’s the dog a poodle  doing by the tv?')
  assert.equal(processQuestion('mmpretrain', question), 'what’s the dog a poodle doing by the tv')
})

test('captions', () => {
  const caption = 'A man, 30ish (with a hat): "Hi!"\n'
  assert.equal(processCaption('as-is', caption), caption)
  assert.equal(processCaption('lavis', caption), 'a man, 30ish with a hat hi')
  assert.equal(processCaption('mmpretrain', caption), 'a man 30ish with a hat hi')
})
