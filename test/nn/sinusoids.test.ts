import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gridSinusoids, sinusoids } from '../../src/nn/sinusoids.ts'

const product = (table: Float32Array, size: number, a: number, b: number) =>
  Array.from({ length: size }, (_, i) => table[a * size + i]! * table[b * size + i]!).reduce((sum, x) => sum + x)

const close = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-5, `${found}, expected ${expected}`)

test('rows are sines and cosines, from a wavelength of 2π to one of 2π times the rows', () => {
  const [count, size] = [100, 4]
  const table = sinusoids(count, size)
  // By hand: √2·(sin r, cos r, sin r/10, cos r/10), as 100^(2/4) = 10.
  for (const row of [0, 1, 7, 99])
    for (const [column, value] of [Math.sin(row), Math.cos(row), Math.sin(row / 10), Math.cos(row / 10)].entries())
      close(table[row * size + column]!, Math.SQRT2 * value)
})

test('with a shortest wavelength of π, rows are those at twice the distance', () => {
  const [waves, short] = [sinusoids(100, 4), sinusoids(100, 4, Math.PI)]
  for (const row of [0, 1, 7])
    for (const column of [0, 1, 2, 3]) close(short[row * 4 + column]!, waves[2 * row * 4 + column]!)
})

test('the mean square is 1, and rows that are equally far apart have equal products', () => {
  const [count, size] = [50, 32]
  const table = sinusoids(count, size)
  for (const row of [0, 3, 49]) close(product(table, size, row, row), size)
  for (const distance of [1, 5, 20])
    close(product(table, size, 2, 2 + distance), product(table, size, 17, 17 + distance))
  assert.ok(product(table, size, 2, 3) > product(table, size, 2, 9))
})

test('patches: the first half tells the row, the second the column, the class token has none', () => {
  const [side, size] = [4, 12]
  const table = gridSinusoids(side, size)
  assert.deepEqual(table.slice(0, size), new Float32Array(size))
  const patch = (row: number, column: number) => {
    const at = (1 + row * side + column) * size
    return { row: table.slice(at, at + 6), column: table.slice(at + 6, at + 12) }
  }
  const waves = sinusoids(side, 6)
  for (const row of [0, 1, 3])
    for (const column of [0, 2, 3]) {
      assert.deepEqual(patch(row, column).row, waves.slice(6 * row, 6 * row + 6))
      assert.deepEqual(patch(row, column).column, waves.slice(6 * column, 6 * column + 6))
    }
})
