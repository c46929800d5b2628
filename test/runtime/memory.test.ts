import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type MachineMemory, planMemory } from '../../src/runtime/memory.ts'

const machine: MachineMemory = { totalBytes: 25e9, availableBytes: 20e9 }

test('a float32 checkpoint of 15 GB fits a machine of 25 GB', () => {
  assert.deepEqual(planMemory({ mappedBytes: 15e9, copiedBytes: 0.3e9, activationBytes: 1.2e9 }, machine), {
    fits: true,
    slow: false,
    text: 'needs 1.5 GB of memory (0.3 GB weights, 1.2 GB activations) and reads 15.0 GB of weights in place; 20.0 GB of 25.0 GB available',
  })
})

test('mapped weights that do not all stay in memory are slow, not refused', () => {
  const plan = planMemory({ mappedBytes: 48e9, copiedBytes: 0, activationBytes: 1e9 }, machine)
  assert.deepEqual([plan.fits, plan.slow], [true, true])
  assert.match(plan.text, /^slow: .*48\.0 GB of weights in place; 20\.0 GB of 25\.0 GB available; use a smaller model/)
})

test('copied weights and activations must fit; the refusal has the numbers and the way out', () => {
  const plan = planMemory({ mappedBytes: 0, copiedBytes: 19e9, activationBytes: 1.1e9 }, machine)
  assert.equal(plan.fits, false)
  assert.equal(
    plan.text,
    'not enough memory: needs 20.1 GB of memory (19.0 GB weights, 1.1 GB activations) and reads 0.0 GB of weights in place; ' +
      '20.0 GB of 25.0 GB available; use a smaller model, a float32 file (read in place) instead of a half precision one ' +
      '(widened in memory), a smaller batch, or close other programs',
  )
  assert.equal(planMemory({ mappedBytes: 0, copiedBytes: 19e9, activationBytes: 1e9 }, machine).fits, true)
})
