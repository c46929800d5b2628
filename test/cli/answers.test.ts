import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadBlip2 } from '../../src/index.ts'
import { blip2, objects, scene, tiny } from './cli.ts'

interface AnswerLine {
  readonly image: string
  readonly question: string
  readonly pred_answer: string
  readonly model: string
  readonly timing_ms: Readonly<Record<string, number>>
  readonly error?: string
}

const keys = ['image', 'question', 'pred_answer', 'model', 'timing_ms']

test('vqa --json: the contract, the library’s answers, one encoding for all questions', async () => {
  const questions = ['What is this?', 'Where is the boat?', 'What is this?']
  const options = ['--min-new-tokens', '3']
  const outcome = await blip2(['vqa', scene, ...questions, '--model', tiny, '--json', ...options])
  assert.equal(outcome.code, 0, outcome.stderr)
  const lines = objects<AnswerLine>(outcome)
  for (const line of lines) assert.deepEqual(Object.keys(line), keys)
  assert.deepEqual(
    lines.map(({ image, question, model }) => [image, question, model]),
    questions.map((q) => [scene, q, tiny]),
  )
  assert.deepEqual(
    lines.map(({ timing_ms }) => Object.keys(timing_ms)),
    [
      ['decode', 'encode', 'generate', 'total'],
      ['generate', 'total'],
      ['generate', 'total'],
    ],
  )
  const model = await loadBlip2(tiny)
  try {
    for (const { question, pred_answer } of lines) {
      assert.equal(pred_answer, (await model.answer(scene, question, { minNewTokens: 3 })).pred_answer)
      assert.notEqual(pred_answer, '')
    }
  } finally {
    await model.dispose()
  }
})

test('vqa --prompt: {} stands for the question', async () => {
  const outcome = await blip2([
    'vqa',
    scene,
    'the sun',
    '--model',
    tiny,
    '--json',
    '--prompt',
    'Where is {}, and {}?',
    '--min-new-tokens',
    '3',
  ])
  const model = await loadBlip2(tiny)
  try {
    const prompt = 'Where is the sun, and the sun?'
    const { pred_answer } = await model.answer(scene, '…', { prompt, minNewTokens: 3 })
    assert.equal(objects<AnswerLine>(outcome)[0]!.pred_answer, pred_answer)
  } finally {
    await model.dispose()
  }
})

test('vqa: a question that is too long fails alone; an image that is missing fails for every question', async () => {
  const endless = Array(40).fill('boat').join(' ') // the tiny model reads 40 tokens in all
  const [long, missing] = await Promise.all([
    blip2(['vqa', scene, endless, 'sun?', '--model', tiny, '--json']),
    blip2(['vqa', 'nope.jpg', 'sun?', 'sea?', '--model', tiny, '--json']),
  ])
  assert.equal(long.code, 1)
  const [failed, answered] = objects<AnswerLine>(long) as [AnswerLine, AnswerLine]
  assert.deepEqual(Object.keys(failed), ['image', 'question', 'error'])
  assert.match(failed.error!, /the language model reads at most 40/)
  assert.deepEqual(Object.keys(answered), keys)
  assert.ok('encode' in answered.timing_ms, 'the first answer has the times of the image')

  assert.equal(missing.code, 1)
  assert.deepEqual(
    objects<AnswerLine>(missing).map(({ question, error }) => [question, typeof error]),
    [
      ['sun?', 'string'],
      ['sea?', 'string'],
    ],
  )
  assert.equal(missing.stderr.match(/nope\.jpg/g)?.length, 1)
})

test('vqa without --json: question and answer', async () => {
  const outcome = await blip2(['vqa', scene, 'What is this?', '--model', tiny, '--min-new-tokens', '2'])
  assert.equal(outcome.code, 0)
  assert.match(outcome.stdout, /^What is this\? \S+.*\n$/)
})

test('chat: piped questions, each with the earlier turns as context', async () => {
  const options = ['--max-new-tokens', '3', '--min-new-tokens', '3']
  const input = 'sun?\n\n  \nsea?\nsun?'
  const [json, text] = await Promise.all([
    blip2(['chat', scene, '--model', tiny, '--json', ...options], { input }),
    blip2(['chat', scene, '--model', tiny, ...options], { input }),
  ])
  assert.equal(json.code, 0, json.stderr)
  const lines = objects<AnswerLine>(json)
  for (const line of lines) assert.deepEqual(Object.keys(line), keys)
  const model = await loadBlip2(tiny)
  try {
    const chat = await model.chat(scene, { maxNewTokens: 3, minNewTokens: 3 })
    const expected: string[] = []
    for (const question of ['sun?', 'sea?', 'sun?']) expected.push((await chat.ask(question)).pred_answer)
    assert.deepEqual(
      lines.map(({ pred_answer }) => pred_answer),
      expected,
    )
    assert.deepEqual(text.lines, expected)
    assert.equal(text.stderr, '', 'no prompt where there is no terminal')
  } finally {
    await model.dispose()
  }
})

test('chat with nothing to ask, and about an image that is missing', async () => {
  const [nothing, missing] = await Promise.all([
    blip2(['chat', scene, '--model', tiny]),
    blip2(['chat', 'nope.jpg', '--model', tiny], { input: 'sun?\n' }),
  ])
  assert.deepEqual([nothing.code, nothing.stdout, nothing.stderr], [0, '', ''])
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /^error: nope\.jpg: no such file/)
})
