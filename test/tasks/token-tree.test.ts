import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokenTree } from '../../src/tasks/token-tree.ts'

/** Rows of the mask as text, `x` where a token may look: expected values are drawn by hand. */
function drawn(mask: Float32Array, width: number): string[] {
  return Array.from({ length: mask.length / width }, (_, row) =>
    Array.from(mask.subarray(row * width, (row + 1) * width), (value) => (value === 0 ? 'x' : '.')).join(''),
  )
}

test('a leaf sees the prefix, its ancestors and itself', () => {
  const tree = tokenTree(1, 2, Uint8Array.of(1, 1))
  assert.deepEqual(drawn(tree.grow(Int32Array.of(0, 0, 0)), 5), ['xxx..', 'xx.x.', 'xx..x'])
  // Branch 0 continues old branch 2, branches 1 and 2 both continue old branch 0.
  assert.deepEqual(drawn(tree.grow(Int32Array.of(2, 0, 0)), 8), ['xx..xx..', 'xxx...x.', 'xxx....x'])
  assert.equal(tree.length, 6)
})

test('items have their own prefix padding and their own trees', () => {
  const tree = tokenTree(2, 3, Uint8Array.of(1, 0, 1, 1, 1, 1))
  tree.grow(Int32Array.of(0, 0, 0, 0))
  assert.deepEqual(drawn(tree.grow(Int32Array.of(1, 1, 0, 1)), 7), [
    'x.x.xx.',
    'x.x.x.x', // item 0: both continue its branch 1
    'xxxx.x.',
    'xxx.x.x', // item 1: each continues itself
  ])
})
