import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import {
  constant,
  input,
  type Node,
  parameter,
  plainForm,
  reachable,
  scalar,
  type Value,
  withFusedForm,
} from '../../src/graph/index.ts'
import { affine } from '../../src/nn/index.ts'
import { add, cast, gather, matmul, mul, neg, reduceMean, reduceSum, sigmoid, split } from '../../src/ops/index.ts'
import { assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute, evaluate } from '../support/evaluate.ts'
import { floats, normal } from '../support/tensors.ts'

const x = input('x', 'float32', [])
const at = (value: number) => ({ x: floats([], [value]) })

function nodesOf(values: readonly Value[]): Set<Node> {
  return new Set(reachable(values, plainForm).flatMap(({ source }) => (source.kind === 'node' ? [source.node] : [])))
}

describe('values by hand', () => {
  test('a value used twice, and in several places: x² + 3x → 2x + 3', async () => {
    const [dx] = gradients(add(mul(x, x), mul(scalar(3), x)), [x])
    assertTensor(await compute(dx!, at(5)), floats([], [13]))
  })

  test('one value that several others are computed from: s = σ(x), s + s² → s(1-s)(1 + 2s)', async () => {
    const s = sigmoid(x)
    const [dx] = gradients(add(s, mul(s, s)), [x])
    assertTensor(await compute(dx!, at(0)), floats([], [0.5]))
  })

  test('the gradient of a gradient: x³ → 3x² → 6x → 6', async () => {
    const cube = mul(x, mul(x, x))
    const [first] = gradients(cube, [x])
    const [second] = gradients(first!, [x])
    const [third] = gradients(second!, [x])
    const results = await evaluate({ first: first!, second: second!, third: third! }, at(2))
    assertTensor(results.first, floats([], [12]))
    assertTensor(results.second, floats([], [12]))
    assertTensor(results.third, floats([], [6]))
  })

  test('the loss itself, an intermediate, and several at once, in their order', async () => {
    const y = mul(scalar(2), x)
    const loss = mul(y, y)
    const [dx, dloss, dy] = gradients(loss, [x, loss, y])
    const results = await evaluate({ dx: dx!, dloss: dloss!, dy: dy! }, at(3))
    assertTensor(results.dx, floats([], [24]))
    assertTensor(results.dloss, floats([], [1]))
    assertTensor(results.dy, floats([], [12]))
  })

  test('a loss whose axes all have size 1 keeps them', async () => {
    const vector = input('v', 'float32', [3])
    const [dv] = gradients(reduceMean(vector, [0]), [vector])
    assertTensor(await compute(dv!, { v: floats([3], [1, 2, 3]) }), floats([3], [1 / 3, 1 / 3, 1 / 3]), 1e-7)
  })

  test('a value that the loss reaches through a plain form', async () => {
    const twice = withFusedForm(mul(scalar(2), x), () => add(x, x))
    const [dx, dtwice] = gradients(mul(twice, twice), [x, twice])
    const results = await evaluate({ dx: dx!, dtwice: dtwice! }, at(3))
    assertTensor(results.dx, floats([], [24]))
    assertTensor(results.dtwice, floats([], [12]))
  })
})

describe('nodes with several outputs', () => {
  const fed = { x: normal(1, [2, 6]) }

  test('one is used, or one is used twice and another not', async () => {
    await assertGradients(fed, (of) => split(of.x, [2, 4], 1)[1]!)
    await assertGradients(fed, (of) => {
      const [a, , c] = split(of.x, [2, 2, 2], 1) as [Value, Value, Value]
      return add(mul(a, a), mul(c, a))
    })
  })
})

describe('frozen weights', () => {
  const input3 = input('x', 'float32', [4, 3])
  const [first, second] = [parameter('first', [5, 3]), parameter('second', [2, 5])]
  const hidden = affine(input3, first, undefined)
  const loss = reduceSum(affine(hidden, second, undefined), [0, 1])

  /** Nodes that only the gradients need, by operator. */
  const extra = (wrt: readonly Value[]) => {
    const forward = nodesOf([loss])
    return [...nodesOf(gradients(loss, wrt))].filter((node) => !forward.has(node)).map((node) => node.op)
  }
  const products = (ops: readonly string[]) => ops.filter((op) => op === 'MatMul').length

  test('a frozen last layer: its input has a gradient, its weight none', () => {
    const ops = extra([first])
    assert.equal(products(ops), 2) // dy·second, then its product with x
  })

  test('a frozen first layer: nothing is built below the trained one', () => {
    const ops = extra([second])
    assert.equal(products(ops), 1)
    assert.ok(ops.length < extra([first]).length)
  })

  test('what is frozen costs nothing: the nodes of both are those of each', () => {
    assert.equal(products(extra([first, second])), 3)
    assert.equal(products(extra([])), 0)
    assert.deepEqual(gradients(loss, []), [])
  })

  test('an operator without gradient is no obstacle where nothing is trained below it', async () => {
    const [scale, table] = [parameter('scale', [1]), parameter('table', [3, 1])]
    const whole = cast(cast(table, 'int64'), 'float32')
    const product = reduceSum(mul(scale, whole), [0, 1])
    const last = cast(cast(scale, 'int64'), 'float32')
    const results = await evaluate(
      { dscale: gradients(product, [scale])[0]!, dlast: gradients(last, [last])[0]! },
      { scale: floats([1], [1]), table: floats([3, 1], [1.5, 2.5, 3.5]) },
    )
    assertTensor(results.dscale, floats([1], [6]))
    assertTensor(results.dlast, floats([1], [1]))
  })
})

describe('errors', () => {
  test('the loss is not one number', () => {
    const many = input('logits', 'float32', ['batch', 3])
    assert.throws(() => gradients(many, [many]), {
      name: 'GradientError',
      message: 'gradients: the loss is logits (batch, 3), not one number',
    })
  })

  test('the loss does not depend on a value', () => {
    const other = parameter('lm_head.weight', [2])
    assert.throws(() => gradients(x, [other]), {
      name: 'GradientError',
      message: 'gradients: the loss does not depend on lm_head.weight (2)',
    })
  })

  test('an operator without gradient is named with the path and the reason', () => {
    const weight = parameter('layers.3.mlp.fc1.weight', [1])
    assert.throws(() => gradients(cast(cast(weight, 'int64'), 'float32'), [weight]), {
      name: 'GradientError',
      message: 'Cast (after layers.3.mlp.fc1.weight (1)) has no gradient: whole numbers have no gradient',
    })
  })

  test('indices get none, though the rows that they pick do', () => {
    const positions = input('positions', 'int64', [1])
    const loss = reduceSum(gather(constant(Float32Array.of(1, 2)), positions), [0])
    assert.throws(() => gradients(loss, [positions]), /does not depend on positions \(1\)/)
  })
})

test('a graph of 5,000 nodes', async () => {
  let y: Value = x
  for (let i = 0; i < 5000; i++) y = i % 2 ? neg(y) : mul(y, scalar(1))
  const [dx] = gradients(y, [x])
  assertTensor(await compute(dx!, at(1)), floats([], [1]))
})

test('a product that is used many times is differentiated once', () => {
  const w = parameter('w', [3, 3])
  const product = matmul(w, w)
  let sum = product
  for (let i = 0; i < 10; i++) sum = add(sum, product)
  const loss = reduceSum(sum, [0, 1])
  const forward = nodesOf([loss])
  const backward = [...nodesOf(gradients(loss, [w]))].filter((node) => !forward.has(node))
  assert.equal(backward.filter((node) => node.op === 'MatMul').length, 2)
})
