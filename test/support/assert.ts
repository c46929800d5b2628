import assert from 'node:assert/strict'
import { gradients } from '../../src/autodiff/index.ts'
import { GradientError, ShapeError } from '../../src/errors.ts'
import type { Value } from '../../src/graph/index.ts'
import { numbers, type Tensor } from './tensors.ts'

/** The same shape, and every element within `tolerance` (absolute, and relative where elements are larger than 1). */
export function assertTensor(found: Tensor | undefined, expected: Tensor, tolerance = 0, what = 'value'): void {
  assert.deepEqual(found?.shape, expected.shape, `shape of ${what}`)
  const [actual, wanted] = [numbers(found), numbers(expected)]
  wanted.forEach((value, i) => {
    const same = Object.is(actual[i], value) || Math.abs(actual[i]! - value) <= tolerance * Math.max(1, Math.abs(value))
    if (!same) assert.fail(`${what} at ${i}: expected ${value}, found ${actual[i]} (all: ${actual})`)
  })
}

/** Throws a ShapeError whose message has every part, in this order. */
export function assertShapeError(build: () => unknown, ...parts: string[]): void {
  assert.throws(build, (error) => {
    assert.ok(error instanceof ShapeError, `expected a ShapeError, found ${error}`)
    let from = 0
    for (const part of parts) {
      const at = error.message.indexOf(part, from)
      assert.ok(at >= 0, `expected …${part}… in: ${error.message}`)
      from = at + part.length
    }
    return true
  })
}

/** A value of one element that is no loss: the error says which operator has no gradient, and why. */
export function assertNoGradient(loss: Value, x: Value, operator: string, reason: RegExp): void {
  assert.throws(
    () => gradients(loss, [x]),
    (error) => {
      assert.ok(error instanceof GradientError, `expected a GradientError, found ${error}`)
      assert.match(error.message, new RegExp(`^${operator} \\(.*\\) has no gradient: `))
      assert.match(error.message, reason)
      return true
    },
  )
}
