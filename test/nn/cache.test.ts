import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { emptyCache, graphCache, sharedCache } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { evaluate } from '../support/evaluate.ts'
import { floats } from '../support/tensors.ts'

const fresh = input('fresh', 'float32', ['tokens', 2])

test('a cache outside the graph: earlier rows are read, only the new ones returned', async () => {
  const cache = graphCache()
  const all = cache.extend('layers.0.key', fresh)
  assert.deepEqual(all.shape, ['past+tokens', 2])
  assert.deepEqual(Object.keys(cache.outputs), ['present.layers.0.key'])
  const fed = { fresh: floats([1, 2], [5, 6]), 'past.layers.0.key': floats([2, 2], [1, 2, 3, 4]) }
  const results = await evaluate({ all, ...cache.outputs }, fed)
  assertTensor(results.all, floats([3, 2], [1, 2, 3, 4, 5, 6]))
  assertTensor(results['present.layers.0.key'], fed.fresh)
  const first = await evaluate({ all }, { ...fed, 'past.layers.0.key': floats([0, 2], []) })
  assertTensor(first.all, fed.fresh)
})

test('rows that another graph has put there', () => {
  const recalled = graphCache().recall('source.key', 'source', ['batch', 2])
  assert.deepEqual([recalled.label, recalled.shape], ['past.source.key', ['source', 'batch', 2]])
})

test('an empty cache records and adds nothing', () => {
  const cache = emptyCache()
  assert.equal(cache.extend('layers.0.key', fresh), fresh)
  assert.deepEqual(cache.outputs, { 'present.layers.0.key': fresh })
  assert.throws(() => cache.recall('source.key', 'source', []), /source\.key/)
})

test('a cache inside of one graph: what one part puts there, the next finds', async () => {
  const cache = sharedCache()
  const first = input('first', 'float32', ['rows', 2])
  assert.equal(cache.extend('layers.0.key', first), first)
  assert.equal(cache.recall('layers.0.key', 'rows', [2]), first)
  const all = cache.extend('layers.0.key', fresh)
  assert.deepEqual(all.shape, ['rows+tokens', 2])
  const fed = { first: floats([2, 2], [1, 2, 3, 4]), fresh: floats([1, 2], [5, 6]) }
  assertTensor((await evaluate({ all }, fed)).all, floats([3, 2], [1, 2, 3, 4, 5, 6]))
  assert.throws(() => cache.recall('layers.1.key', 'rows', [2]), /layers\.1\.key/)
})
