import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMeter, type MeterState } from '../../src/training/meter.ts'

/** A clock that is set by hand, in milliseconds. */
function clock() {
  let time = 1000
  return { now: () => time, pass: (milliseconds: number) => (time += milliseconds), memory: () => 5e8 }
}

test('a line has the means over its steps, the speed, and the share of waiting', async () => {
  const { pass, ...options } = clock()
  const meter = createMeter(options)
  for (const [loss, norm] of [
    [4, 1],
    [2, 3],
  ] as const) {
    await meter.waiting(Promise.resolve(pass(100)))
    await meter.waiting(new Promise((resolve) => queueMicrotask(() => resolve(pass(250)))))
    pass(750)
    meter.losses({ loss, loss_itc: loss / 2 }, 3)
    meter.losses({ loss: loss + 1, loss_itc: 0 }, 3)
    meter.step(norm)
  }
  await meter.aside(new Promise((resolve) => queueMicrotask(() => resolve(pass(60_000)))))
  assert.deepEqual(meter.line(2, 1e-4), {
    kind: 'step',
    step: 2,
    loss: 3.5,
    parts: { loss_itc: 0.75 },
    learning_rate: 1e-4,
    gradient_norm: 2,
    samples_per_second: 12 / 2.2,
    waiting: 0.5 / 2.2,
    memory: 5e8,
    seconds: 62.2,
  })
  meter.begin()
  meter.losses({ loss: 1 }, 2)
  meter.step(7)
  pass(500)
  const { loss, gradient_norm, samples_per_second, waiting, seconds } = meter.line(3, 0)
  assert.deepEqual([loss, gradient_norm, samples_per_second, waiting, seconds], [1, 7, 4, 0, 62.7])
})

test('a run that goes on from a state tells what an unbroken one does', () => {
  const run = (stopped: boolean) => {
    const { pass, ...options } = clock()
    let meter = createMeter(options)
    for (const loss of [0.1, 0.2, 0.3]) {
      meter.losses({ loss, loss_itm: loss / 3 }, 4)
      meter.step(loss / 7)
      pass(300)
      if (!stopped || loss !== 0.2) continue
      const state = JSON.parse(JSON.stringify(meter.state())) as MeterState
      pass(1e9)
      meter = createMeter({ ...options, state })
    }
    return meter.line(3, 1)
  }
  assert.deepEqual(run(true), run(false))
})
