/** Operators that move elements: values by hand, on 0, 1, 2, … so that each number says where it came from. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { type Dim, input, int64s, type Shape, scalar } from '../../src/graph/index.ts'
import {
  concat,
  expandLike,
  indicesAlong,
  mul,
  reduceSum,
  repeatAxis,
  reshape,
  reshapeLike,
  shapeOf,
  slice,
  split,
  swapLast,
  transpose,
  zerosLike,
} from '../../src/ops/index.ts'
import { assertNoGradient, assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute, evaluate } from '../support/evaluate.ts'
import { count, floats, longs, normal, type Tensor } from '../support/tensors.ts'

const x = (...shape: Dim[]) => input('x', 'float32', shape)

/** 0, 1, 2, … under a shape. */
const ordered = (...shape: number[]): Tensor => floats(shape, Array(count(shape)).keys())

describe('reshape', () => {
  test('infers -1, and names what it infers', () => {
    const cases: [Shape, Shape, Shape][] = [
      [
        [2, 6],
        [3, -1],
        [3, 4],
      ],
      [
        ['batch', 6],
        [-1, 2, 3],
        ['batch', 2, 3],
      ],
      [
        ['tokens', 'batch', 6],
        [-1, 6],
        ['batch*tokens', 6],
      ],
      [
        ['batch', 3, 4],
        [-1, 4],
        ['3*batch', 4],
      ],
      [
        ['past+tokens', 'batch', 4],
        [-1, 4],
        ['batch*(past+tokens)', 4],
      ],
      [
        [2, 3],
        [3, 2],
        [3, 2],
      ],
      [[1], [], []],
    ]
    for (const [from, to, expected] of cases) {
      assert.deepEqual(reshape(x(...from), to).shape, expected, `(${from}) to (${to})`)
    }
  })

  test('values: named sizes stay or are inferred when the graph runs', async () => {
    const fed = ordered(2, 3, 4)
    for (const [from, to, sizes] of [
      [
        ['tokens', 'batch', 4],
        ['tokens', 'batch', 2, 2],
        [2, 3, 2, 2],
      ],
      [
        ['tokens', 'batch', 4],
        [-1, 4],
        [6, 4],
      ],
      [
        [2, 3, 'n'],
        ['n', 6],
        [4, 6],
      ],
      [
        ['tokens', 3, 4],
        [-1, 2],
        [12, 2],
      ],
    ] as [Dim[], Dim[], number[]][]) {
      assertTensor(await compute(reshape(x(...from), to), { x: fed }), ordered(...sizes))
    }
  })

  test('no tokens', async () => {
    const value = reshape(x('tokens', 'batch', 4), ['tokens', 'batch', 2, 2])
    assertTensor(await compute(value, { x: ordered(0, 3, 4) }), ordered(0, 3, 2, 2))
    assertTensor(await compute(reshape(x('tokens', 4), [-1, 2]), { x: ordered(0, 4) }), ordered(0, 2))
  })

  test('gradient', async () => {
    await assertGradients({ x: normal(1, [2, 3, 4]) }, (of) => reshape(of.x, [-1, 2, 2]), {
      shapes: { x: ['tokens', 3, 4] },
    })
  })

  test('another number of elements', () => {
    const weight = input('fc1.weight', 'float32', [2, 6])
    assertShapeError(() => reshape(weight, [5, 2]), 'Reshape: fc1.weight (2, 6)', '(5, 2)', 'number of elements')
    assertShapeError(() => reshape(weight, [5, -1]), 'Reshape: fc1.weight (2, 6)', '(5, -1)', 'divide')
    assertShapeError(() => reshape(weight, [-1, -1]), 'Reshape: fc1.weight (2, 6)', '(-1, -1)')
    assertShapeError(() => reshape(weight, ['batch', 6]), 'Reshape: fc1.weight (2, 6)', 'unknown size batch')
    assertShapeError(() => reshape(x('a', 'b', 6), ['b', 'a', 6]), 'Reshape: x (a, b, 6)', '2 named sizes')
  })
})

describe('reshapeLike', () => {
  const fed = { y: ordered(6, 5), like: normal(2, [2, 3, 4]) }
  const shapes = { y: ['rows', 5], like: ['tokens', 'batch', 4] }
  const like = input('like', 'float32', shapes.like)

  test('values, with the last size of the other or one of its own', async () => {
    const value = reshapeLike(input('y', 'float32', shapes.y), like, 5)
    assert.deepEqual(value.shape, ['tokens', 'batch', 5])
    assertTensor(await compute(value, fed), ordered(2, 3, 5))
    const same = reshapeLike(input('y', 'float32', ['rows']), like)
    assertTensor(await compute(same, { ...fed, y: ordered(24) }), ordered(2, 3, 4))
  })

  test('gradient', async () => {
    await assertGradients(
      { ...fed, y: normal(1, [6, 5]) },
      (of) => concat([reshapeLike(of.y, of.like, 5), of.like], -1),
      {
        shapes,
      },
    )
  })
})

describe('transpose and swapLast', () => {
  test('values', async () => {
    const value = transpose(x(2, 'batch', 3), [1, 2, 0])
    assert.deepEqual(value.shape, ['batch', 3, 2])
    assertTensor(await compute(value, { x: ordered(2, 1, 3) }), floats([1, 3, 2], [0, 3, 1, 4, 2, 5]))
    assertTensor(await compute(swapLast(x(1, 2, 3)), { x: ordered(1, 2, 3) }), floats([1, 3, 2], [0, 3, 1, 4, 2, 5]))
    assertTensor(await compute(transpose(x(0, 2), [1, 0]), { x: ordered(0, 2) }), ordered(2, 0))
  })

  test('gradient', async () => {
    await assertGradients({ x: normal(1, [2, 3, 4]) }, (of) => transpose(of.x, [1, 2, 0]), {
      shapes: { x: ['tokens', 'batch', 4] },
    })
  })

  test('an order that is no permutation', () => {
    assertShapeError(() => transpose(x(2, 3), [0, 0]), 'Transpose: x (2, 3)', '(0, 0)')
    assertShapeError(() => transpose(x(2, 3), [0]), 'Transpose: x (2, 3)', '(0)')
  })
})

describe('concat', () => {
  const parts = { a: ordered(1, 2), b: floats([2, 2], [10, 11, 12, 13]) }

  test('values and names of sizes', async () => {
    const [a, b] = [input('a', 'float32', ['past', 2]), input('b', 'float32', ['tokens', 2])]
    assert.deepEqual(concat([a, b], 0).shape, ['past+tokens', 2])
    assert.deepEqual(concat([a, input('c', 'float32', [5, 2])], 0).shape, ['past+5', 2])
    assertTensor(await compute(concat([a, b], 0), parts), floats([3, 2], [0, 1, 10, 11, 12, 13]))
    assertTensor(await compute(concat([a, b], -2), { ...parts, a: ordered(0, 2) }), parts.b)
    assertTensor(await compute(concat([b], 0), parts), parts.b)
  })

  test('gradient: each gets its part', async () => {
    const fed = { a: normal(1, [1, 2]), b: normal(2, [2, 2]), c: normal(3, [3, 2]) }
    await assertGradients(fed, ({ a, b, c }) => concat([a, b, c], 0))
    await assertGradients(fed, ({ a, b, c }) => concat([b, a, c, a], 0), { shapes: { b: ['tokens', 2] } })
  })

  test('axes that do not agree, nothing to join', () => {
    const keys = input('past.key', 'float32', ['past', 3])
    assertShapeError(
      () => concat([x('tokens', 2), keys], 0),
      'Concat: x (tokens, 2) and past.key (past, 3)',
      'axes but 0',
    )
    assertShapeError(() => concat([x(2), keys], 0), 'Concat: x (2) and past.key (past, 3)')
    assertShapeError(() => concat([x(2)], 1), 'Concat: x (2)', 'axis 1')
    assertShapeError(() => concat([], 0), 'Concat')
  })
})

describe('split', () => {
  test('values, of which one size may be named', async () => {
    const [a, b] = split(x(2, 4), [1, 3], 1)
    const fixed = await evaluate({ a: a!, b: b! }, { x: ordered(2, 4) })
    assertTensor(fixed.a, floats([2, 1], [0, 4]))
    assertTensor(fixed.b, floats([2, 3], [1, 2, 3, 5, 6, 7]))

    const [text, queries] = split(x('tokens+2', 1), ['tokens', 2], 0)
    assert.deepEqual(
      [text!.shape, queries!.shape],
      [
        ['tokens', 1],
        [2, 1],
      ],
    )
    const named = await evaluate({ text: text!, queries: queries! }, { x: ordered(5, 1) })
    assertTensor(named.text, ordered(3, 1))
    assertTensor(named.queries, floats([2, 1], [3, 4]))
    const empty = await evaluate({ text: text!, queries: queries! }, { x: ordered(2, 1) })
    assertTensor(empty.text, ordered(0, 1))
  })

  test('gradient of all pieces and of some', async () => {
    const fed = { x: normal(1, [2, 6]) }
    await assertGradients(fed, (of) => concat(split(of.x, [1, 2, 3], 1).reverse(), 1))
    for (const used of [0, 1, 2]) await assertGradients(fed, (of) => split(of.x, [1, 2, 3], 1)[used]!)
    for (const used of [0, 1]) {
      await assertGradients({ x: normal(2, [5, 3]) }, (of) => split(of.x, ['tokens', 2], 0)[used]!, {
        shapes: { x: ['tokens+2', 'n'] },
      })
    }
  })

  test('pieces that do not add up, or cannot be known', () => {
    const qkv = input('qkv', 'float32', ['tokens', 9])
    assertShapeError(() => split(qkv, [3, 3], 1), 'Split: qkv (tokens, 9)', '(3, 3)', 'axis 1')
    assertShapeError(() => split(qkv, [3], 0), 'Split: qkv (tokens, 9)', '(3)', 'axis 0')
    assertShapeError(() => split(x('a+b'), ['a', 'b'], 0), 'Split: x (a+b)', 'more than one named')
  })
})

describe('slice', () => {
  test('values: the middle, to the end, nothing', async () => {
    const fed = { x: ordered(4, 2) }
    assertTensor(await compute(slice(x(4, 2), 0, 1, 3), fed), floats([2, 2], [2, 3, 4, 5]))
    assertTensor(await compute(slice(x(4, 2), -1, 1), fed), floats([4, 1], [1, 3, 5, 7]))
    assertTensor(await compute(slice(x(4, 2), 0, 2, 2), fed), ordered(0, 2))
    assertTensor(await compute(slice(x('tokens', 2), 0, 0, 1), fed), ordered(1, 2))
    assertTensor(await compute(slice(x('tokens', 2), 0, 3), fed), floats([1, 2], [6, 7]))
  })

  test('shapes', () => {
    assert.deepEqual(slice(x('tokens', 2), 0, 0).shape, ['tokens', 2])
    assert.deepEqual(slice(x('tokens', 2), 0, 1).shape, ['tokens-1', 2])
    assert.deepEqual(slice(x('tokens', 2), 0, 1, 3).shape, [2, 2])
  })

  test('gradient', async () => {
    const fed = { x: normal(1, [5, 3]) }
    await assertGradients(fed, (of) => slice(of.x, 0, 1, 3))
    await assertGradients(fed, (of) => slice(of.x, 1, 2))
    const shapes = { x: ['tokens', 3] }
    await assertGradients(fed, (of) => slice(of.x, 0, 2), { shapes })
    await assertGradients(fed, (of) => slice(of.x, 0, 0, 1), { shapes }) // the class token
    await assertGradients(fed, (of) => slice(of.x, 0, 1, 3), { shapes })
  })

  test('a range that leaves the axis', () => {
    for (const [start, end] of [[0, 5], [3, 2], [-1, 2], [-1]]) {
      assertShapeError(() => slice(x(4, 2), 0, start!, end), 'Slice: x (4, 2)', `${start}:${end ?? 4}`, 'axis 0')
    }
    assertShapeError(() => slice(x('tokens'), 0, -1), 'Slice: x (tokens)', '-1:tokens')
  })
})

describe('expandLike and repeatAxis', () => {
  test('values', async () => {
    const fed = { x: ordered(2, 1), like: ordered(3, 2, 2) }
    const like = input('like', 'float32', ['batch', 2, 'n'])
    assertTensor(await compute(expandLike(x(2, 1), like), fed), floats([3, 2, 2], [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]))
    assertTensor(await compute(zerosLike(like), fed), floats([3, 2, 2], Array(12).fill(0)))
    const repeated = repeatAxis(x(2, 1), 1, like, 0)
    assert.deepEqual(repeated.shape, [2, 'batch'])
    assertTensor(await compute(repeated, fed), floats([2, 3], [0, 0, 0, 1, 1, 1]))
    assertTensor(await compute(repeated, { ...fed, like: ordered(0, 2, 2) }), ordered(2, 0))
  })

  test('gradient', async () => {
    const fed = { x: normal(1, [2, 1]), like: normal(2, [3, 2, 4]) }
    const shapes = { like: ['batch', 2, 'n'] }
    await assertGradients(fed, (of) => mul(expandLike(of.x, of.like), of.like), { shapes })
    await assertGradients(fed, (of) => mul(reshape(repeatAxis(of.x, 1, of.like, 0), ['batch', 2, 1]), of.like), {
      shapes,
    })
  })

  test('what cannot be stretched', () => {
    const like = input('like', 'float32', ['batch', 3])
    assertShapeError(() => expandLike(x(2, 3), like), 'Expand: x (2, 3) and like (batch, 3)')
    assertShapeError(() => expandLike(x(1, 1, 3), like), 'Expand: x (1, 1, 3) and like (batch, 3)')
    assertShapeError(() => repeatAxis(x(2, 3), 1, like, 0), 'Expand: x (2, 3)', 'axis 1', 'size 1')
  })
})

describe('shapeOf', () => {
  test('values', async () => {
    const sizes = await compute(shapeOf(x('batch', 'tokens', 3)), { x: ordered(2, 0, 3) })
    assertTensor(sizes, longs([3], [2, 0, 3]))
  })

  test('no gradient', () => {
    const h = x(3)
    assertNoGradient(shapeOf(h), h, 'Shape', /whole numbers/)
  })
})

test('second derivatives: cutting, padding, squeezing and stretching are linear', async () => {
  // f = Σ (slice x)³ broadcast over two rows: f' = 6·x² and f'' = 12·x where x is used, else 0.
  const h = x('n')
  const used = slice(h, 0, 1, 3)
  const stretched = mul(mul(used, used), mul(used, expandLike(scalar(1), input('rows', 'float32', [2, 2]))))
  const [first] = gradients(reduceSum(stretched, [0, 1]), [h])
  const [second] = gradients(reduceSum(first!, [0]), [h])
  const fed = { x: floats([4], [1, 2, 3, 4]), rows: ordered(2, 2) }
  assertTensor(await compute(second!, fed), floats([4], [0, 24, 36, 0]))
})

test('whole numbers can be cut and joined too', async () => {
  const ids = input('ids', 'int64', [3])
  const value = concat([slice(ids, 0, 1), int64s([9])], 0)
  assertTensor(await compute(value, { ids: longs([3], [1, 2, 3]) }), longs([3], [2, 3, 9]))
})

describe('indicesAlong', () => {
  test('values, of a named size, of none', async () => {
    const indices = indicesAlong(input('x', 'float32', [2, 'tokens']), -1)
    assert.deepEqual([indices.shape, indices.dtype], [['tokens'], 'int64'])
    assertTensor(await compute(indices, { x: normal(1, [2, 3]) }), longs([3], [0, 1, 2]))
    assertTensor(await compute(indices, { x: floats([2, 0], []) }), longs([0], []))
  })

  test('an axis that is not there', () => {
    assertShapeError(() => indicesAlong(input('x', 'float32', [2]), 1), 'Range: x (2)', 'axis 1')
  })
})
