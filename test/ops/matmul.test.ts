/** Values against three nested loops. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { type FusedMatmulOptions, fusedMatmul, gemm, matmul } from '../../src/ops/matmul.ts'
import { assertNoGradient, assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, normal, numbers, type Tensor } from '../support/tensors.ts'

/** a (m, k) · b (k, n), row-major. */
function product(a: readonly number[], b: readonly number[], m: number, k: number, n: number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n]
    let sum = 0
    for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[i * n + column]!
    return sum
  })
}

const of = (name: string, tensor: Tensor) => input(name, 'float32', tensor.shape)

describe('matmul', () => {
  test('two matrices', async () => {
    const fed = { a: normal(1, [3, 4]), b: normal(2, [4, 2]) }
    const expected = floats([3, 2], product(numbers(fed.a), numbers(fed.b), 3, 4, 2))
    assertTensor(await compute(matmul(of('a', fed.a), of('b', fed.b)), fed), expected, 1e-6)
    await assertGradients(fed, ({ a, b }) => matmul(a, b))
  })

  test('batches, of which one is broadcast', async () => {
    const fed = { a: normal(3, [2, 1, 3, 4]), b: normal(4, [5, 4, 2]) }
    const matrices = Array.from({ length: 10 }, (_, i) => {
      const [outer, inner] = [Math.floor(i / 5), i % 5]
      const [a, b] = [numbers(fed.a).slice(outer * 12), numbers(fed.b).slice(inner * 8)]
      return product(a, b, 3, 4, 2)
    })
    const value = matmul(of('a', fed.a), of('b', fed.b))
    assertTensor(await compute(value, fed), floats([2, 5, 3, 2], matrices.flat()), 1e-6)
    await assertGradients(fed, ({ a, b }) => matmul(a, b))
  })

  test('batch 1, no rows, no inner elements', async () => {
    const [one, none] = [normal(5, [1, 1, 2]), floats([0, 2], [])]
    await assertGradients({ a: one, b: normal(6, [1, 2, 1]) }, ({ a, b }) => matmul(a, b))
    const value = matmul(input('a', 'float32', [0, 2]), input('b', 'float32', [2, 3]))
    assertTensor(await compute(value, { a: none, b: normal(6, [2, 3]) }), floats([0, 3], []))
    const zero = matmul(input('a', 'float32', [1, 0]), input('b', 'float32', [0, 2]))
    assertTensor(await compute(zero, { a: floats([1, 0], []), b: floats([0, 2], []) }), floats([1, 2], [0, 0]))
  })

  test('named sizes', async () => {
    const shapes = { a: ['batch', 'tokens', 4], b: [4, 2] }
    assert.deepEqual(matmul(input('a', 'float32', shapes.a), input('b', 'float32', shapes.b)).shape, [
      'batch',
      'tokens',
      2,
    ])
    await assertGradients({ a: normal(7, [2, 3, 4]), b: normal(8, [4, 2]) }, ({ a, b }) => matmul(a, b), { shapes })
  })

  test('shapes that do not fit', () => {
    const a = (...shape: (number | string)[]) => input('a', 'float32', shape)
    const b = (...shape: (number | string)[]) => input('fc1.weight', 'float32', shape)
    assertShapeError(() => matmul(a(2, 3), b(4, 5)), 'MatMul: a (2, 3) and fc1.weight (4, 5)', '3 and 4')
    assertShapeError(() => matmul(a(2, 3), b(3)), 'MatMul: a (2, 3) and fc1.weight (3)', 'two axes')
    assertShapeError(() => matmul(a(2, 5, 3), b(4, 3, 5)), 'MatMul: a (2, 5, 3)', 'batch sizes 2 and 4')
    assertShapeError(() => matmul(a('batch', 1, 3), b('tokens', 3, 5)), 'batch sizes batch and tokens')
  })
})

describe('gemm', () => {
  const fed = { x: normal(1, [3, 4]), w: normal(2, [2, 4]), b: normal(3, [2]) }

  test('x·wᵀ, with bias and without', async () => {
    const transposed = [0, 4, 1, 5, 2, 6, 3, 7].map((i) => numbers(fed.w)[i]!)
    const expected = product(numbers(fed.x), transposed, 3, 4, 2)
    const [x, w, b] = [of('x', fed.x), of('w', fed.w), of('b', fed.b)]
    assertTensor(await compute(gemm(x, w), fed), floats([3, 2], expected), 1e-6)
    const shifted = expected.map((value, i) => value + numbers(fed.b)[i % 2]!)
    assertTensor(await compute(gemm(x, w, b), fed), floats([3, 2], shifted), 1e-6)
  })

  test('gradient', async () => {
    await assertGradients(fed, ({ x, w, b }) => gemm(x, w, b))
    await assertGradients({ x: normal(4, [1, 4]), w: fed.w }, ({ x, w }) => gemm(x, w), { shapes: { x: ['rows', 4] } })
  })

  test('no rows', async () => {
    const value = gemm(input('x', 'float32', ['rows', 4]), of('w', fed.w), of('b', fed.b))
    assertTensor(await compute(value, { ...fed, x: floats([0, 4], []) }), floats([0, 2], []))
  })

  test('shapes that do not fit', () => {
    const [x, w] = [input('x', 'float32', [3, 5]), input('fc1.weight', 'float32', [2, 4])]
    assertShapeError(() => gemm(x, w), 'Gemm: x (3, 5) and fc1.weight (2, 4)', 'in = 5 and 4')
    assertShapeError(() => gemm(of('x', fed.x), w, input('fc1.bias', 'float32', [3])), 'fc1.bias (3)', 'shape (2)')
  })
})

describe('fusedMatmul', () => {
  // The plain operands: a (2 batch, 3, 4) and b (2 batch, 4, 5).
  const [a, b] = [normal(1, [2, 3, 4]), normal(2, [2, 4, 5])]
  const expected = [0, 1].flatMap((i) => product(numbers(a).slice(12 * i), numbers(b).slice(20 * i), 3, 4, 5))

  /** The operand laid out as the options say: its last two axes exchanged, or its batch axis inside. */
  function laidOut(x: Tensor, transposed: boolean | undefined, inside: boolean | undefined): Tensor {
    const [batch, rows, columns] = x.shape as [number, number, number]
    const [m, n] = transposed ? [columns, rows] : [rows, columns]
    const from = (i: number, row: number, column: number) =>
      numbers(x)[i * rows * columns + (transposed ? column * columns + row : row * columns + column)]!
    const shape = inside ? [m, batch, n] : [batch, m, n]
    const values = Array.from({ length: batch * m * n }, (_, at) => {
      const [first, second, column] = [Math.floor(at / (n * shape[1]!)), Math.floor(at / n) % shape[1]!, at % n]
      return inside ? from(second, first, column) : from(first, second, column)
    })
    return floats(shape, values)
  }

  for (let flags = 0; flags < 16; flags++) {
    const [transA, transB, batchInsideA, batchInsideB] = [1, 2, 4, 8].map((bit) => (flags & bit) > 0)
    const options = { transA, transB, batchInsideA, batchInsideB, alpha: 0.5 } as FusedMatmulOptions
    test(JSON.stringify(options), async () => {
      const fed = { a: laidOut(a, transA, batchInsideA), b: laidOut(b, transB, batchInsideB) }
      const value = fusedMatmul(of('a', fed.a), of('b', fed.b), options)
      const halves = expected.map((one) => one / 2)
      assert.deepEqual(value.shape, [2, 3, 5])
      assertTensor(await compute(value, fed), floats([2, 3, 5], halves), 1e-6)
    })
  }

  test('no gradient, and the shapes as they are read in an error', () => {
    const x = input('x', 'float32', [1, 1])
    assertNoGradient(fusedMatmul(x, x, {}), x, 'FusedMatMul', /inference only/)
    const [left, right] = [input('a', 'float32', [2, 3]), input('b', 'float32', [4, 5])]
    assertShapeError(() => fusedMatmul(left, right, { transA: true }), 'a (3, 2)', 'b (4, 5)', '2 and 4')
  })
})
