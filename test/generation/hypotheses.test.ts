import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fullAndAtLeast, type Hypotheses, keep, ranked } from '../../src/generation/hypotheses.ts'

// Expected values: BeamHypotheses of transformers 4.27.1 by hand.
const offer = (hypotheses: Hypotheses, token: number, score: number): void =>
  keep(hypotheses, { tokens: [token], score, finishReason: 'eos' })
const order = (hypotheses: Hypotheses): (number | undefined)[] => ranked(hypotheses).map(({ tokens }) => tokens[0])

test('keeps the best; of equal worst ones the oldest goes, of equal scores the newest ranks first', () => {
  const hypotheses: Hypotheses = { capacity: 3, kept: [] }
  offer(hypotheses, 1, -2)
  offer(hypotheses, 2, -2)
  offer(hypotheses, 3, -1)
  assert.deepEqual(order(hypotheses), [3, 2, 1])
  offer(hypotheses, 4, -2) // no better than the worst
  assert.deepEqual(order(hypotheses), [3, 2, 1])
  offer(hypotheses, 5, -1)
  assert.deepEqual(order(hypotheses), [5, 3, 2])
  offer(hypotheses, 6, -0.5)
  assert.deepEqual(order(hypotheses), [6, 5, 3])
})

test('a score is out of reach only when there are enough sequences, and none of them is worse', () => {
  const hypotheses: Hypotheses = { capacity: 2, kept: [] }
  offer(hypotheses, 1, -1)
  assert.equal(fullAndAtLeast(hypotheses, -5), false)
  offer(hypotheses, 2, -3)
  assert.equal(fullAndAtLeast(hypotheses, -3), true)
  assert.equal(fullAndAtLeast(hypotheses, -2.9), false)
})
