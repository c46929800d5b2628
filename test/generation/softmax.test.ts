import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionError } from '../../src/errors.ts'
import { logProbability, logSoftmax, normaliserOf } from '../../src/generation/softmax.ts'

test('log-softmax of a row by hand', () => {
  const row = Float32Array.from([1, 2, 5], Math.log)
  logSoftmax(row)
  for (const [i, p] of [1 / 8, 2 / 8, 5 / 8].entries()) assert.ok(Math.abs(row[i]! - Math.log(p)) < 2e-7)
})

test('large logits keep their differences, banned tokens stay banned', () => {
  // pytorch/pytorch#11752: max + log Σ must not be rounded before it is subtracted.
  const row = Float32Array.of(1e8, 1e8, -Infinity, -1e30)
  logSoftmax(row)
  assert.deepEqual(row, Float32Array.of(-Math.LN2, -Math.LN2, -Infinity, -1e30))
})

test('the log-probability of one token is that of the whole row', () => {
  const row = Float32Array.of(0.3, -2, 7, 6.5)
  const one = Array.from(row, (logit) => logProbability(logit, normaliserOf(row)))
  logSoftmax(row)
  assert.deepEqual(one, [...row])
})

test('logits that are no numbers are an error that says what to try', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(
      () => normaliserOf(Float32Array.of(1, bad, 2)),
      (error: Error) => error instanceof SessionError && /finite logits.*float32/.test(error.message),
    )
  }
  assert.throws(() => logSoftmax(Float32Array.of(-Infinity, -Infinity)), SessionError)
})
