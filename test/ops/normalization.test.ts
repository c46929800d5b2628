/** Values against the formulas in double precision. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { GradientError } from '../../src/errors.ts'
import { input, plainForm } from '../../src/graph/index.ts'
import { layerNorm, mul, reduceSum, rmsNorm } from '../../src/ops/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, normal, numbers, type Tensor } from '../support/tensors.ts'

const eps = 1e-2 // large, so that a forgotten or misplaced one shows
const fed = { x: normal(1, [2, 3, 4]), scale: normal(2, [4]), bias: normal(3, [4]) }
const scale = input('scale', 'float32', [4])
const bias = input('bias', 'float32', [4])

/** A function of each row of 4. */
function perRow(x: Tensor, formula: (row: number[]) => number[]): Tensor {
  const values = numbers(x)
  const rows = Array.from({ length: values.length / 4 }, (_, i) => formula(values.slice(4 * i, 4 * i + 4)))
  return floats(x.shape, rows.flat())
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length

function layerNormRow(row: number[]): number[] {
  const centre = mean(row)
  const deviation = Math.sqrt(mean(row.map((one) => (one - centre) ** 2)) + eps)
  return row.map((one, i) => ((one - centre) / deviation) * numbers(fed.scale)[i]! + numbers(fed.bias)[i]!)
}

function rmsNormRow(row: number[]): number[] {
  const root = Math.sqrt(mean(row.map((one) => one * one)) + eps)
  return row.map((one, i) => (one / root) * numbers(fed.scale)[i]!)
}

describe('layerNorm', () => {
  test('values, batch 1, nothing at all', async () => {
    for (const x of [fed.x, normal(4, [1, 4]), normal(5, [4]), floats([0, 4], [])]) {
      const value = layerNorm(input('x', 'float32', x.shape), scale, bias, eps)
      assertTensor(await compute(value, { ...fed, x }), perRow(x, layerNormRow), 2e-6)
    }
  })

  test('gradient', async () => {
    const build = (of: Record<'x' | 'scale' | 'bias', typeof scale>) => layerNorm(of.x, of.scale, of.bias, eps)
    await assertGradients(fed, build)
    await assertGradients(fed, build, { shapes: { x: ['tokens', 'batch', 4] } })
    await assertGradients({ ...fed, x: normal(4, [4]) }, build)
  })

  test('the second derivative is refused', () => {
    const x = input('x', 'float32', [4])
    const first = gradients(reduceSum(mul(layerNorm(x, scale, bias, eps), x), [0]), [x])[0]!
    assert.throws(() => gradients(reduceSum(mul(first, x), [0]), [x]), GradientError)
  })

  test('weights of another width', () => {
    const x = input('h', 'float32', ['tokens', 5])
    assertShapeError(
      () => layerNorm(x, scale, bias, eps),
      'LayerNormalization: h (tokens, 5) and scale (4)',
      'last axis',
    )
    const wide = input('wide', 'float32', [5])
    assertShapeError(() => layerNorm(x, wide, bias, eps), 'LayerNormalization: h (tokens, 5) and bias (4)')
  })
})

describe('rmsNorm', () => {
  const value = rmsNorm(input('x', 'float32', [2, 3, 4]), scale, eps)

  test('values of both forms, batch 1, nothing at all', async () => {
    for (const purpose of ['training', 'inference'] as const) {
      for (const x of [fed.x, normal(4, [1, 4]), floats([0, 4], [])]) {
        const normed = rmsNorm(input('x', 'float32', x.shape), scale, eps)
        assertTensor(await compute(normed, { ...fed, x }, { purpose }), perRow(x, rmsNormRow), 2e-6)
      }
    }
    assert.notEqual(plainForm(value), value)
  })

  test('gradient', async () => {
    await assertGradients({ x: fed.x, scale: fed.scale }, (of) => rmsNorm(of.x, of.scale, eps))
    await assertGradients({ x: fed.x, scale: fed.scale }, (of) => rmsNorm(of.x, of.scale, eps), {
      shapes: { x: ['tokens', 'batch', 4] },
    })
  })

  test('a weight of another width', () => {
    assertShapeError(
      () => rmsNorm(input('h', 'float32', ['tokens', 5]), scale, eps),
      'RMSNorm: h (tokens, 5) and scale (4)',
    )
  })
})
