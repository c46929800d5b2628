import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { cast, mul } from '../../src/ops/index.ts'
import { assertNoGradient, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs, normal } from '../support/tensors.ts'

test('values: cut towards zero, and back', async () => {
  const fed = { x: floats([4], [-1.9, -0.5, 0.5, 2.9]) }
  const whole = cast(input('x', 'float32', [4]), 'int64')
  assert.equal(whole.dtype, 'int64')
  assertTensor(await compute(whole, fed), longs([4], [-1, 0, 0, 2]))
  assertTensor(await compute(cast(whole, 'float32'), fed), floats([4], [-1, 0, 0, 2]))
  assertTensor(await compute(cast(cast(whole, 'bool'), 'float32'), fed), floats([4], [1, 0, 0, 1]))
})

test('float16 in between rounds to 11 bits', async () => {
  const halves = cast(cast(input('x', 'float32', [2]), 'float16'), 'float32')
  assertTensor(await compute(halves, { x: floats([2], [1 + 2 ** -10, 1 + 2 ** -12]) }), floats([2], [1 + 2 ** -10, 1]))
})

test('to the dtype that it has is nothing to do', () => {
  const x = input('x', 'float32', ['batch', 3])
  assert.equal(cast(x, 'float32'), x)
})

test('gradient of float to float', async () => {
  // These x and the steps around them are exact in float16; the gradient is rounded to its 11 bits on the way back.
  const fed = { x: floats([3], [0.5, -2, 8]), w: normal(1, [3]) }
  await assertGradients(fed, ({ x, w }) => mul(cast(cast(x, 'float16'), 'float32'), w), { tolerance: 2 ** -11 })
})

test('no gradient through whole numbers', () => {
  const x = input('x', 'float32', [1])
  assertNoGradient(cast(x, 'int64'), x, 'Cast', /whole numbers/)
  assertNoGradient(cast(cast(x, 'bool'), 'float32'), x, 'Cast', /whole numbers/)
})
