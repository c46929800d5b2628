import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CosineSchedule, type LavisSchedule, learningRate } from '../../src/optim/schedule.ts'

const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) <= 1e-15, `${found} is not ${expected}`)

test('cosine: up in a line, down in half a wave that every step moves, then level', () => {
  const schedule: CosineSchedule = { kind: 'cosine', peak: 1, min: 0.2, warmupSteps: 4, warmupStart: 0, steps: 12 }
  const rate = (step: number) => learningRate(schedule, step)
  assert.deepEqual([0, 1, 2, 3, 4].map(rate), [0, 0.25, 0.5, 0.75, 1])
  near(rate(6), 0.2 + 0.4 * (1 + Math.SQRT1_2)) // a quarter of the way
  near(rate(8), 0.6)
  near(rate(12), 0.2)
  near(rate(100), 0.2)
})

test('cosine without a warm-up begins at its peak', () => {
  const schedule: CosineSchedule = { kind: 'cosine', peak: 1, min: 0, warmupSteps: 0, warmupStart: 0, steps: 2 }
  assert.deepEqual(
    [0, 1].map((step) => learningRate(schedule, step)),
    [1, 0.5],
  )
})

test('lavis: warm-up inside the first epoch, then one rate for each epoch', () => {
  const schedule: LavisSchedule = {
    kind: 'lavis',
    peak: 1e-2,
    min: 1e-3,
    warmupSteps: 2,
    warmupStart: 1e-4,
    stepsPerEpoch: 5,
    epochs: 3,
  }
  const rate = (step: number) => learningRate(schedule, step)
  // test/reference/optim/cases.json, adamw_traces: epoch 0 steps 0, 1, 2; epoch 1
  for (const [step, expected] of Object.entries([1e-4, 0.00505, 1e-2, 1e-2, 1e-2, 0.00775])) {
    near(rate(Number(step)), expected)
  }
  assert.deepEqual([6, 9].map(rate), [rate(5), rate(5)])
  near(rate(10), 9e-3 * 0.5 * (1 + Math.cos((2 * Math.PI) / 3)) + 1e-3)
  near(rate(15), 1e-3)
})

test('lavis: a warm-up that is longer than an epoch is cut off by it', () => {
  const schedule: LavisSchedule = {
    kind: 'lavis',
    peak: 1,
    min: 0,
    warmupSteps: 10,
    warmupStart: 0,
    stepsPerEpoch: 4,
    epochs: 2,
  }
  near(learningRate(schedule, 3), 0.3)
  near(learningRate(schedule, 4), 0.5)
})
