import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionError } from '../../src/errors.ts'
import { GrowingCache } from '../../src/runtime/growing.ts'
import { floats } from './models.ts'

test('reads are views: reading a long entry copies nothing', () => {
  const cache = new GrowingCache({ key: [3] })
  cache.append({ key: floats([4, 3], [...Array(12).keys()]) })
  assert.equal(cache.read('key').data.buffer, cache.read('key').data.buffer)
  assert.deepEqual(cache.read('key'), floats([4, 3], [...Array(12).keys()]))
})

test('capacity doubles: 1000 rows, one by one, move their memory 10 times', () => {
  const cache = new GrowingCache({ key: [2] })
  const buffers = new Set<unknown>()
  for (let i = 0; i < 1000; i++) {
    cache.append({ key: floats([1, 2], [i, -i]) })
    buffers.add(cache.read('key').data.buffer)
  }
  assert.equal(buffers.size, 11) // capacities 1, 2, 4, …, 1024
  assert.deepEqual([...cache.read('key').data.slice(-4)], [998, -998, 999, -999])
})

test('rows after a rewind are written over', () => {
  const cache = new GrowingCache({ key: [1], cross: [1] })
  cache.append({ key: floats([3, 1], [1, 2, 3]), cross: floats([2, 1], [8, 9]) })
  cache.rewind({ key: 1 })
  cache.append({ key: floats([1, 1], [5]) })
  assert.deepEqual(cache.read('key'), floats([2, 1], [1, 5]))
  assert.deepEqual(cache.read('cross'), floats([2, 1], [8, 9]))
})

test('when one entry does not fit, none is appended', () => {
  const cache = new GrowingCache({ key: [2], value: [2] })
  const row = floats([1, 2], [1, 2])
  assert.throws(() => cache.append({ key: row, value: floats([1, 3], [1, 2, 3]) }), {
    name: SessionError.name,
    message: 'cache entry value: expected (rows, 2), found (1, 3)',
  })
  assert.throws(() => cache.append({ key: row, query: row }), /no entry query; it has key, value/)
  assert.deepEqual(cache.rows, { key: 0, value: 0 })
})
