import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input, type Shape, toOnnx } from '../../src/graph/index.ts'
import { affine, linear, paramsFrom } from '../../src/nn/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { readOnnx } from '../support/read-onnx.ts'
import { count, floats, normal, numbers } from '../support/tensors.ts'

const weights = { w: normal(1, [2, 3]), b: normal(2, [2]) }
const [w, b] = [input('w', 'float32', [2, 3]), input('b', 'float32', [2])]

/** x·wᵀ + b by hand, and without b. */
function product(x: readonly number[], withBias = true): number[] {
  const [wide, bias] = [numbers(weights.w), numbers(weights.b)]
  return Array.from({ length: (x.length / 3) * 2 }, (_, at) => {
    const [row, out] = [Math.floor(at / 2), at % 2]
    const sum = [0, 1, 2].reduce((total, i) => total + x[row * 3 + i]! * wide[out * 3 + i]!, 0)
    return sum + (withBias ? bias[out]! : 0)
  })
}

const operators = (rows: number, purpose: 'inference' | 'training') => {
  const x = input('x', 'float32', ['rows', 3])
  const { bytes } = toOnnx({ y: affine(x, w, b) }, { purpose, sizes: { rows } })
  return readOnnx(bytes).nodes.map((node) => node.op)
}

describe('affine', () => {
  test('values of both forms at 1 to 65 rows, with and without bias', async () => {
    for (const rows of [1, 2, 5, 64, 65]) {
      const x = normal(rows, [rows, 3])
      for (const bias of [b, undefined]) {
        const expected = floats([rows, 2], product(numbers(x), bias !== undefined))
        for (const purpose of ['inference', 'training'] as const) {
          const y = affine(input('x', 'float32', ['rows', 3]), w, bias)
          assert.deepEqual(y.shape, ['rows', 2])
          assertTensor(await compute(y, { ...weights, x }, { purpose, sizes: { rows } }), expected, 2e-6)
        }
      }
    }
  })

  test('the fused form is used for inference at 2 to 64 rows', () => {
    for (const [rows, fused] of [
      [1, false],
      [2, true],
      [64, true],
      [65, false],
    ] as const) {
      assert.equal(operators(rows, 'inference').includes('FusedMatMul'), fused, `${rows} rows`)
      assert.equal(operators(rows, 'inference').includes('Gemm'), !fused, `${rows} rows`)
      assert.ok(operators(rows, 'training').includes('Gemm'))
    }
  })

  test('any number of axes, named or not, and none of a kind', async () => {
    const shapes: [Shape, number[]][] = [
      [
        ['tokens', 'batch', 3],
        [4, 2, 3],
      ],
      [
        ['tokens', 'batch', 3],
        [0, 2, 3],
      ],
      [
        [2, 'batch', 2, 3],
        [2, 1, 2, 3],
      ],
      [
        ['past+tokens', 'batch', 3],
        [3, 2, 3],
      ],
      [[3], [3]],
    ]
    for (const [shape, sizes] of shapes) {
      const x = normal(count(sizes), sizes)
      const expected = floats([...sizes.slice(0, -1), 2], product(numbers(x)))
      for (const purpose of ['inference', 'training'] as const) {
        const y = affine(input('x', 'float32', shape), w, b)
        assertTensor(await compute(y, { ...weights, x }, { purpose, sizes: { tokens: 4 } }), expected, 2e-6)
      }
    }
  })

  test('gradient', async () => {
    const fed = { ...weights, x: normal(3, [2, 2, 3]) }
    await assertGradients(fed, (of) => affine(of.x, of.w, of.b))
    await assertGradients(fed, (of) => affine(of.x, of.w, of.b), { shapes: { x: ['tokens', 'batch', 3] } })
  })

  test('other features than the weight has', () => {
    const x = input('mlp.fc1', 'float32', ['tokens', 4])
    assertShapeError(() => affine(x, w, b), 'linear: mlp.fc1 (tokens, 4) and w (2, 3)', '3 features')
  })
})

test('linear asks for its weights and carries its path', async () => {
  const asked: Record<string, readonly number[]> = {}
  const p = paramsFrom((name, shape) => {
    asked[name] = shape
    return undefined
  }).at('mlp.fc1')
  const x = input('x', 'float32', ['tokens', 3])
  const y = linear(p, x, 2)
  assert.deepEqual(asked, { 'mlp.fc1.weight': [2, 3], 'mlp.fc1.bias': [2] })
  assert.equal(y.label, 'mlp.fc1')
  const fed = { x: normal(4, [2, 3]), 'mlp.fc1.weight': weights.w, 'mlp.fc1.bias': weights.b }
  assertTensor(await compute(y, fed), floats([2, 2], product(numbers(fed.x))), 2e-6)
  const plain = linear(p.at('plain'), x, 2, { bias: false })
  assert.ok(!('mlp.fc1.plain.bias' in asked))
  assertTensor(
    await compute(plain, { ...fed, 'mlp.fc1.plain.weight': weights.w }),
    floats([2, 2], product(numbers(fed.x), false)),
    2e-6,
  )
})
