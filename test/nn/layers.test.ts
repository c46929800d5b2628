/** The operators have tests of their own; here: which weights a layer asks for, and that they arrive in the right place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { embedding, layerNorm, recorderParams, rmsNorm } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs } from '../support/tensors.ts'

const x = input('x', 'float32', ['tokens', 2])
const fed = { x: floats([1, 2], [1, 3]), 'norm.weight': floats([2], [2, 3]), 'norm.bias': floats([2], [10, 20]) }

test('layerNorm', async () => {
  const { params, shapes } = recorderParams()
  const y = layerNorm(params.at('norm'), x, 0)
  assert.deepEqual(
    [...shapes],
    [
      ['norm.weight', [2]],
      ['norm.bias', [2]],
    ],
  )
  assert.equal(y.label, 'norm')
  assertTensor(await compute(y, fed), floats([1, 2], [8, 23]), 1e-6) // normalised: -1 and 1
})

test('rmsNorm', async () => {
  const { params, shapes } = recorderParams()
  const y = rmsNorm(params.at('norm'), x, 0)
  assert.deepEqual([...shapes], [['norm.weight', [2]]])
  assert.equal(y.label, 'norm')
  assertTensor(await compute(y, fed), floats([1, 2], [2 / Math.sqrt(5), 9 / Math.sqrt(5)]), 1e-6)
})

test('embedding', async () => {
  const { params, shapes } = recorderParams()
  const y = embedding(params.at('embed_tokens'), input('ids', 'int64', ['tokens', 'batch']), 3, 2)
  assert.deepEqual([...shapes], [['embed_tokens.weight', [3, 2]]])
  assert.deepEqual([y.label, y.shape], ['embed_tokens', ['tokens', 'batch', 2]])
  const table = floats([3, 2], [1, 2, 3, 4, 5, 6])
  const rows = await compute(y, { ids: longs([2, 1], [2, 0]), 'embed_tokens.weight': table })
  assertTensor(rows, floats([2, 1, 2], [5, 6, 1, 2]))
})
