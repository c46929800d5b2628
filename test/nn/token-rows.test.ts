import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { allTokens, someTokens, untilLast } from '../../src/nn/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs, normal } from '../support/tensors.ts'

const flags = input('flags', 'int64', ['tokens', 'batch'])

describe('someTokens', () => {
  const fed = { flags: longs([3, 2], [1, 1, 1, 0, 0, 1]) }
  const x = floats([3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])

  test('values: token by token, and back to their places', async () => {
    const rows = someTokens(flags, 'rows')
    const taken = rows.take(input('x', 'float32', ['tokens', 'batch', 2]))
    assert.deepEqual(taken.shape, ['rows', 2])
    assertTensor(await compute(taken, { ...fed, x }), floats([4, 2], [1, 2, 3, 4, 5, 6, 11, 12]))
    const back = rows.put(taken)
    assert.deepEqual(back.shape, ['tokens', 'batch', 2])
    assertTensor(await compute(back, { ...fed, x }), floats([3, 2, 2], [1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 11, 12]))
    const picked = rows.pick(input('ids', 'int64', ['tokens', 'batch']))
    assertTensor(await compute(picked, { ...fed, ids: longs([3, 2], [7, 8, 9, 0, 0, 6]) }), longs([4], [7, 8, 9, 6]))
  })

  test('gradient of what is computed for some tokens only', async () => {
    await assertGradients({ x: normal(1, [3, 2, 4]), flags: fed.flags }, (of) => {
      const rows = someTokens(of.flags, 'rows')
      return rows.put(rows.take(of.x))
    })
  })

  test('flags without an axis of tokens are refused', () => {
    assertShapeError(() => someTokens(input('flags', 'int64', ['tokens']), 'rows'), '(tokens)', '(tokens, batch)')
  })
})

test('all tokens are where they are', () => {
  assert.equal(allTokens.put(allTokens.take(flags)), flags)
})

test('untilLast: up to the last flag of each item, holes filled; nothing where there is none', async () => {
  const found = await compute(untilLast(flags), { flags: longs([4, 3], [0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]) })
  assertTensor(found, longs([4, 3], [1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0]))
})
