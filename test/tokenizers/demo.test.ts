/** The made tokenizer of examples/demo (scripts/make-demo.ts): ids by its vocabulary's order. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { repositoryRoot } from '../support/paths.ts'

const demo = await loadTokenizer(join(repositoryRoot, 'examples', 'demo', 'tiny-blip2'))

test('one token for every row of the demo model', () => assert.equal(demo.vocabSize, 67))

test('prompts are words after the start token', () => {
  assert.deepEqual(demo.encode('a photo of'), [2, 4, 6, 7])
  const question = demo.encode('Question: what is in the picture? Answer:')
  assert.deepEqual(demo.decode(question), '</s>Question: what is in the picture? Answer:')
  assert.ok(!question.includes(3))
})

test('other text is encodable as unknown', () => {
  assert.deepEqual(demo.encode('a zebra'), [2, 4, 3, 4]) // no merges, so a strange word falls into letters, and `a` is one
  for (const text of ['naïve 猫', '\t\0', '🐱🐱']) assert.ok(demo.encode(text).every((id) => id < 67))
})

test('every id decodes; the end of text is a line break', () => {
  const all = Array.from({ length: 67 }, (_, id) => id)
  assert.ok(all.every((id) => demo.decode([id]).length > 0))
  assert.equal(demo.decode([12]), '\n')
  assert.equal(demo.decode([8, 60, 12], { skipSpecialTokens: true }).trim(), 'blue boat')
})
