/** Values against the definition in double precision. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { input } from '../../src/graph/index.ts'
import { logSoftmax, mul, reduceSum, softmax, surprise } from '../../src/ops/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs, normal, numbers, type Tensor } from '../support/tensors.ts'

function rows(x: Tensor, formula: (row: number[]) => number[]): Tensor {
  const width = x.shape.at(-1)!
  const values = numbers(x)
  const starts = Array.from({ length: values.length / width }, (_, i) => i * width)
  return floats(
    x.shape,
    starts.flatMap((start) => formula(values.slice(start, start + width))),
  )
}

const softmaxRow = (row: number[]) => {
  const exps = row.map((one) => Math.exp(one - Math.max(...row)))
  return exps.map((one) => one / exps.reduce((a, b) => a + b))
}

for (const [name, op, formula] of [
  ['softmax', softmax, softmaxRow],
  ['logSoftmax', logSoftmax, (row: number[]) => softmaxRow(row).map(Math.log)],
] as const) {
  describe(name, () => {
    test('values, batch 1, one class, no rows', async () => {
      const none = floats([0, 3], [])
      for (const x of [normal(1, [2, 3, 5]), normal(2, [1, 3]), normal(3, [4, 1]), normal(4, [6]), none]) {
        assertTensor(await compute(op(input('x', 'float32', x.shape)), { x }), rows(x, formula), 1e-6)
      }
    })

    test('large numbers do not overflow', async () => {
      const x = floats([3], [1000, 999, -1000])
      const value = await compute(op(input('x', 'float32', [3])), { x })
      const shifted = softmaxRow([0, -1, -2000])
      assertTensor(
        value,
        floats([3], name === 'softmax' ? shifted : [...shifted.slice(0, 2).map(Math.log), -2000.3132]),
        1e-6,
      )
    })

    test('gradient', async () => {
      await assertGradients({ x: normal(5, [3, 4]) }, ({ x }) => op(x))
      await assertGradients({ x: normal(6, [1, 2, 4]) }, ({ x }) => op(x), { shapes: { x: ['batch', 'tokens', 4] } })
    })
  })
}

test('a masked key gets no weight and no gradient', async () => {
  const x = floats([3], [1, Number.NEGATIVE_INFINITY, 1])
  assertTensor(await compute(softmax(input('x', 'float32', [3])), { x }), floats([3], [0.5, 0, 0.5]))
})

describe('surprise', () => {
  const surpriseOf = (row: number[], label: number, smoothing: number) => {
    const logp = softmaxRow(row).map(Math.log)
    const mean = logp.reduce((a, b) => a + b) / row.length
    return -(1 - smoothing) * logp[label]! - smoothing * mean
  }
  const labels = longs([2, 3], [0, 4, 1, 2, 2, 3])
  const x = normal(5, [2, 3, 5])

  test('values', async () => {
    for (const smoothing of [0, 0.1, 1]) {
      const y = surprise(input('x', 'float32', ['a', 'b', 5]), input('labels', 'int64', ['a', 'b']), smoothing)
      assert.deepEqual(y.shape, ['a', 'b'])
      const rowOf = (i: number) => numbers(x).slice(5 * i, 5 * i + 5)
      const expected = numbers(labels).map((label, i) => surpriseOf(rowOf(i), label, smoothing))
      assertTensor(await compute(y, { x, labels }), floats([2, 3], expected), 1e-6)
    }
  })

  test('large numbers do not overflow', async () => {
    const y = surprise(input('x', 'float32', [1, 3]), input('labels', 'int64', [1]), 0)
    const fed = { x: floats([1, 3], [1000, 999, -1000]), labels: longs([1], [1]) }
    assertTensor(await compute(y, fed), floats([1], [1 + Math.log(1 + Math.exp(-1))]), 1e-4)
  })

  test('gradient', async () => {
    for (const smoothing of [0, 0.1, 1]) {
      await assertGradients({ x, labels }, (of) => surprise(of.x, of.labels, smoothing), {
        shapes: { x: ['a', 'b', 5], labels: ['a', 'b'] },
      })
    }
  })

  test('second derivative', async () => {
    await assertGradients({ x, labels }, (of) => {
      const squared = surprise(of.x, of.labels, 0.1)
      return gradients(reduceSum(mul(squared, squared), [0, 1]), [of.x])[0]!
    })
  })

  test('shapes that do not fit', () => {
    const ids = input('labels', 'int64', ['b', 'a'])
    assertShapeError(
      () => surprise(input('x', 'float32', ['a', 'b', 5]), ids, 0),
      'surprise: x (a, b, 5) and labels (b, a)',
    )
    assertShapeError(() => surprise(input('x', 'float32', ['b', 'a', 'n']), ids, 0), 'a fixed n')
  })
})
