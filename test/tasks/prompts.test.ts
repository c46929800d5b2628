import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBlip2Config } from '../../src/models/config.ts'
import { answerDefaults, captionDefaults, chatPrompt, questionPrompt } from '../../src/tasks/prompts.ts'

const opt = parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 'opt' } }, 'test')
const t5 = parseBlip2Config(
  {
    model_type: 'blip-2',
    text_config: {
      model_type: 't5',
      feed_forward_proj: 'gated-gelu',
      dense_act_fn: 'gelu',
      tie_word_embeddings: false,
    },
  },
  'test',
)

test('templates and decoding are those of the paper, section 4.1', () => {
  assert.equal(questionPrompt(opt, ' what is it? '), 'Question: what is it? Answer:')
  assert.equal(questionPrompt(t5, 'what is it?'), 'Question: what is it? Short answer:')
  assert.deepEqual(answerDefaults, { numBeams: 5, lengthPenalty: -1, maxNewTokens: 10 })
  assert.deepEqual(captionDefaults, { numBeams: 5, lengthPenalty: 1, maxNewTokens: 30 })
})

test('a conversation repeats its turns before the question', () => {
  const history = [
    { question: 'which city is this?', answer: 'singapore' },
    { question: 'why do you think so?', answer: 'it has a statue of a merlion' },
  ]
  // The example of the notebook blip2_instructed_generation.ipynb (LAVIS 506965b).
  assert.equal(
    chatPrompt(history, "what's its name?"),
    'Question: which city is this? Answer: singapore. Question: why do you think so? Answer: it has a statue of a merlion. ' +
      "Question: what's its name? Answer:",
  )
})
