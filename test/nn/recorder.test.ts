import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recorderParams } from '../../src/nn/index.ts'

test('names and shapes in the order of use, and totals by prefix', () => {
  const { params, shapes, total } = recorderParams()
  const layer = params.at('layers.0')
  layer.get('weight', [3, 4])
  layer.get('bias', [3])
  params.get('query_tokens', [1, 32, 768])
  layer.get('weight', [3, 4])
  assert.deepEqual(
    [...shapes],
    [
      ['layers.0.weight', [3, 4]],
      ['layers.0.bias', [3]],
      ['query_tokens', [1, 32, 768]],
    ],
  )
  assert.equal(total(), 12 + 3 + 24_576)
  assert.equal(total('layers.'), 15)
  assert.equal(total('vision_model'), 0)
})
