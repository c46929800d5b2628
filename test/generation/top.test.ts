import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyTop, offerAll, type Top } from '../../src/generation/top.ts'
import { hash } from './fake-decoder.ts'

const listed = (top: Top): number[][] => Array.from({ length: top.size }, (_, i) => [top.scores[i]!, top.indices[i]!])

test('the best, best first; of equal scores the first offered', () => {
  const top = emptyTop(3)
  offerAll(top, Float32Array.of(1, 5, 2, 5), 0, 0)
  offerAll(top, Float32Array.of(4, 5), 1, 10)
  assert.deepEqual(listed(top), [
    [6, 11],
    [5, 1],
    [5, 3],
  ])
})

test('a list that is not full keeps banned tokens too', () => {
  const top = emptyTop(4)
  offerAll(top, Float32Array.of(-Infinity, 1, -Infinity), 0, 0)
  assert.deepEqual(listed(top), [
    [1, 1],
    [-Infinity, 0],
    [-Infinity, 2],
  ])
})

test('equals a stable sort of everything', () => {
  for (let seed = 0; seed < 500; seed++) {
    const limit = 1 + (hash(seed) % 20)
    const rows = Array.from({ length: 3 }, (_, row) =>
      Float32Array.from({ length: 50 }, (_, i) => (hash(seed, row, i) % 97) / 8),
    )
    const top = emptyTop(limit)
    for (const [row, values] of rows.entries()) offerAll(top, values, -row / 3, row * 50)
    const all = rows.flatMap((values, row) =>
      Array.from(values, (value, i) => [Math.fround(value - row / 3), row * 50 + i] as const),
    )
    assert.deepEqual(listed(top), all.sort((a, b) => b[0] - a[0]).slice(0, limit))
  }
})
