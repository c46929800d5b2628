import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constant, identity, input, int64s, label, multiNode, parameter, scalar } from '../../src/graph/index.ts'
import { assertTensor } from '../support/assert.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs } from '../support/tensors.ts'

test('constants', async () => {
  assertTensor(await compute(scalar(1.5)), floats([], [1.5]))
  assertTensor(await compute(int64s([-1, 2 ** 40])), longs([2], [-1, 2 ** 40]))
  assertTensor(await compute(int64s([])), longs([0], []))
  assertTensor(await compute(constant(Float32Array.of(1, 2, 3, 4), [2, 2])), floats([2, 2], [1, 2, 3, 4]))
  // A view into a larger buffer: only its own elements are written.
  assertTensor(await compute(constant(new Float32Array([9, 1, 2, 9]).subarray(1, 3))), floats([2], [1, 2]))
})

test('a label names a value and leaves it the same tensor', () => {
  const x = input('x', 'float32', [2])
  for (const value of [x, parameter('w', [2]), scalar(1)]) assert.equal(identity(label(value, 'a')), identity(value))
})

test('two outputs of a node are two tensors', () => {
  const x = input('x', 'float32', [2])
  const [a, b] = multiNode('Split', [x], { shapes: [[1], [1]], gradient: 'not asked for here' })
  assert.notEqual(identity(a!), identity(b!))
  assert.equal(identity(label(b!, 'right')), identity(b!))
  assert.equal(a!.dtype, 'float32')
})
