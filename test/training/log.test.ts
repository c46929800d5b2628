import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonLines, type LogLine, linesUpTo, type StepLine } from '../../src/training/log.ts'

const line = (step: number): StepLine => ({
  kind: 'step',
  step,
  loss: 1 / step,
  parts: { loss_itc: 0.5 },
  learning_rate: 1e-4,
  gradient_norm: 2,
  samples_per_second: 30,
  waiting: 0.01,
  memory: 1e9,
  seconds: step,
})
const validation: LogLine = { kind: 'validation', step: 20, loss: 2, parts: {}, examples: [] }
const lines = [line(10), line(20), validation, line(30)]
const text = lines.map((one) => `${JSON.stringify(one)}\n`).join('')

test('the lines up to a step, that of the step included', () => {
  assert.deepEqual(linesUpTo(text, 30), lines)
  assert.deepEqual(linesUpTo(text, 29), lines.slice(0, 3))
  assert.deepEqual(linesUpTo(text, 20), lines.slice(0, 3))
  assert.deepEqual(linesUpTo(text, 9), [])
  assert.deepEqual(linesUpTo('', 100), [])
})

test('a log that was cut anywhere: its whole lines', () => {
  const ends = lines.map((_, i) => lines.slice(0, i + 1).reduce((sum, one) => sum + JSON.stringify(one).length + 1, -1))
  for (let length = 0; length <= text.length; length += 7)
    assert.equal(linesUpTo(text.slice(0, length), 30).length, ends.filter((end) => end <= length).length, `${length}`)
})

test('nothing behind damage is believed', () => {
  assert.deepEqual(jsonLines('{"a":1}\n\n{"a":2}\n{"a"\n{"a":3}\n'), [{ a: 1 }, { a: 2 }])
})
