import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addDims,
  broadcastShapes,
  describe,
  elementCount,
  frontAxis,
  input,
  int64s,
  label,
  multiplyDims,
  parameter,
  type Shape,
  showShape,
} from '../../src/graph/index.ts'
import { add, matmul, neg } from '../../src/ops/index.ts'
import { assertShapeError } from '../support/assert.ts'

const x = (...shape: Shape) => input('x', 'float32', shape)

test('shapes are shown as in the documentation', () => {
  assert.equal(showShape(['batch', 257, 1408]), '(batch, 257, 1408)')
  assert.equal(showShape([]), '()')
})

test('errors name a value by its path, else by the nearest one that it was computed from', () => {
  const weight = parameter('vision_model.encoder.layers.3.mlp.fc1.weight', [4, 3])
  assert.equal(describe(weight), 'vision_model.encoder.layers.3.mlp.fc1.weight (4, 3)')
  assert.equal(describe(int64s([1, 2])), 'int64 (2)')
  const unnamed = neg(neg(matmul(x('tokens', 4), weight)))
  assert.equal(describe(unnamed), 'after vision_model.encoder.layers.3.mlp.fc1.weight (tokens, 3)')
  assert.equal(describe(label(unnamed, 'mlp')), 'mlp (tokens, 3)')
  assertShapeError(
    () => add(unnamed, x(5)),
    'Add: after vision_model.encoder.layers.3.mlp.fc1.weight (tokens, 3) and x (5): sizes 3 and 5',
  )
})

test('broadcasting', () => {
  const cases: [Shape, Shape, Shape][] = [
    [[2, 3], [3], [2, 3]],
    [[], ['batch', 1], ['batch', 1]],
    [
      ['batch', 1],
      [1, 'tokens'],
      ['batch', 'tokens'],
    ],
    [
      [0, 3],
      [1, 3],
      [0, 3],
    ],
  ]
  for (const [a, b, expected] of cases) {
    assert.deepEqual(broadcastShapes('Add', x(...a), x(...b)), expected)
    assert.deepEqual(broadcastShapes('Add', x(...b), x(...a)), expected)
  }
  assertShapeError(() => broadcastShapes('Add', x(0), x(3)), 'Add: x (0) and x (3)', 'sizes 0 and 3 of axis -1')
})

test('axes are counted from either end', () => {
  assert.deepEqual([frontAxis('Sum', x(2, 3), 1), frontAxis('Sum', x(2, 3), -2)], [1, 0])
  for (const axis of [2, -3, 0.5]) assertShapeError(() => frontAxis('Sum', x(2, 3), axis), 'Sum: x (2, 3)', `${axis}`)
})

test('sums and products of sizes', () => {
  assert.equal(addDims([2, 3]), 5)
  assert.equal(addDims(['past', 'tokens', 2, 3]), 'past+tokens+5')
  assert.equal(addDims(['tokens-1', 1]), 'tokens')
  assert.equal(addDims([31, 'tokens', -32]), 'tokens-1')
  assert.equal(addDims(['tokens+2', 'past-1']), 'tokens+past+1')
  assert.equal(addDims(['2*(tokens-1)', 3]), '2*(tokens-1)+3')
  assert.equal(multiplyDims([2, 3]), 6)
  assert.equal(multiplyDims([1, 'batch']), 'batch')
  assert.equal(multiplyDims([2, 'batch', 3]), '6*batch')
  assert.equal(multiplyDims(['past+tokens', 'batch']), '(past+tokens)*batch')
  assert.equal(multiplyDims([0, 'batch']), 0)
})

test('elements at expected sizes', () => {
  const sizes = { batch: 4, tokens: 7, past: 10 }
  for (const [shape, count] of [
    [[], 1],
    [[2, 3], 6],
    [['batch', 5], 20],
    [['past+tokens', 2], 34],
    [['tokens+5'], 12],
    [['tokens-1', 'batch'], 24],
    [['16*batch'], 64],
    [['batch*(past+tokens)'], 68],
    [['unknown', 3], 3],
    [[0, 'batch'], 0],
  ] as const) {
    assert.equal(elementCount(shape, sizes), count, showShape(shape))
  }
  assert.equal(elementCount(['batch', 'past+tokens', 3]), 6)
})
