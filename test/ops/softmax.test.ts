/** Values against the definition in double precision. */
import { describe, test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { logSoftmax, softmax } from '../../src/ops/index.ts'
import { assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, normal, numbers, type Tensor } from '../support/tensors.ts'

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
