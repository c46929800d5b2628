import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import ort from 'onnxruntime-node'
import { gradients } from '../../src/autodiff/index.ts'
import {
  identity,
  input,
  label,
  labelled,
  layer,
  type Node,
  parameter,
  plainForm,
  reachable,
  toOnnx,
  type Value,
} from '../../src/graph/index.ts'
import { add, exp, gelu, matmul, mul, reduceSum } from '../../src/ops/index.ts'
import { evaluate, type Feeds } from '../support/evaluate.ts'
import { floats, normal } from '../support/tensors.ts'

const widths = [5, 6, 7]
const weights = widths.flatMap((width, i) => [parameter(`a${i}`, [4, width]), parameter(`b${i}`, [width, 4])])

/** Three layers, each of a width of its own, that hand on x + gelu(x·a)·b. */
function chain(): { readonly loss: Value; readonly inside: readonly Value[]; readonly between: readonly Value[] } {
  const inside: Value[] = []
  const between: Value[] = []
  let x = exp(input('x', 'float32', ['batch', 4]))
  for (let i = 0; i < widths.length; i++) {
    between.push(x)
    x = layer(() => {
      const wide = matmul(x, weights[2 * i]!)
      inside.push(wide, gelu(wide))
      return label(add(x, matmul(inside.at(-1)!, weights[2 * i + 1]!)), `layers.${i}`)
    })
  }
  return { loss: reduceSum(mul(x, x), [0, 1]), inside, between }
}

const fed: Feeds = {
  x: normal(1, [3, 4]),
  ...Object.fromEntries(weights.map((weight, i) => [weight.label, normal(2 + i, weight.shape as number[])])),
}

function nodesOf(values: readonly Value[]): Set<Node> {
  return new Set(reachable(values, plainForm).flatMap(({ source }) => (source.kind === 'node' ? [source.node] : [])))
}

test('the way back reads nothing that is inside of a layer, only what is between them', () => {
  const { loss, inside, between } = chain()
  const read = (recompute: boolean) => {
    const forward = nodesOf([loss])
    const back = [...nodesOf(gradients(loss, weights, { recompute }))].filter((node) => !forward.has(node))
    return new Set(back.flatMap(({ inputs }) => inputs.flatMap((one) => (one ? [identity(plainForm(one))] : []))))
  }
  const [kept, recomputed] = [read(false), read(true)]
  for (const value of inside) assert.ok(kept.has(identity(value)))
  for (const value of inside) assert.ok(!recomputed.has(identity(value)))
  for (const value of between) assert.ok(recomputed.has(identity(value)))
})

test('the same bits', async () => {
  const { loss } = chain()
  const [kept, recomputed] = await Promise.all(
    [false, true].map((recompute) =>
      evaluate(Object.fromEntries(gradients(loss, weights, { recompute }).map((dw, i) => [`d${i}`, dw])), fed),
    ),
  )
  assert.deepEqual(recomputed, kept)
})

test('what is read outside of its layer is kept, and what is made of weights alone is not made twice', () => {
  const w = parameter('w', [4, 4])
  const x = exp(input('x', 'float32', ['batch', 4]))
  let shared: Value | undefined
  const y = layer(() => {
    shared = exp(x)
    return exp(matmul(shared, exp(w)))
  })
  const loss = reduceSum(mul(y, shared as Value), [0, 1])
  const ops = [...nodesOf(gradients(loss, [w, x], { recompute: true }))].map(({ op }) => op)
  // exp of the input, of x and of w, and that which y is.
  assert.equal(ops.filter((op) => op === 'Exp').length, 4)
  assert.equal(ops.filter((op) => op === 'MatMul').length, 3)
})

test('a layer inside of another is a part of it', () => {
  const x = exp(input('x', 'float32', [2]))
  const y = layer(() => exp(layer(() => exp(exp(x)))))
  const ops = [...nodesOf(gradients(reduceSum(mul(y, y), [0]), [x], { recompute: true }))].map(({ op }) => op)
  // Four forward; inside, the first and second of three are made again.
  assert.equal(ops.filter((op) => op === 'Exp').length, 6)
})

test('the gradient of a gradient', async () => {
  const x = input('x', 'float32', [1])
  const cube = layer(() => mul(x, mul(x, x)))
  const [first] = gradients(reduceSum(cube, [0]), [x], { recompute: true })
  const [second] = gradients(reduceSum(first!, [0]), [x], { recompute: true })
  const found = await evaluate({ first: first!, second: second! }, { x: floats([1], [2]) })
  assert.deepEqual([...(found.first!.data as Float32Array), ...(found.second!.data as Float32Array)], [12, 12])
})

test('labels of the pass forward stay its own', () => {
  const { loss } = chain()
  const names = ['layers.0', 'layers.1', 'layers.2']
  const before = labelled([loss])
  const slopes = gradients(loss, weights, { recompute: true })
  const after = labelled([loss, ...slopes])
  for (const name of names) assert.equal(identity(after.get(name)!), identity(before.get(name)!))
})

/** Operator and shape of what ONNX Runtime ran, in its order. */
async function profile(outputs: Record<string, Value>): Promise<{ readonly op: string; readonly shape: string }[]> {
  const folder = mkdtempSync(join(tmpdir(), 'blip2-profile-'))
  try {
    const session = await ort.InferenceSession.create(toOnnx(outputs, { purpose: 'training' }).bytes, {
      enableProfiling: true,
      profileFilePrefix: join(folder, 'run'),
      logSeverityLevel: 3,
      intraOpNumThreads: 1,
    })
    const feeds = Object.entries(fed).map(([name, { data, shape }]) => [
      name,
      new ort.Tensor('float32', data as Float32Array, shape),
    ])
    await session.run(Object.fromEntries(feeds))
    session.endProfiling()
    interface Event {
      readonly name: string
      readonly ts: number
      readonly args: { readonly op_name: string; readonly output_type_shape: readonly Record<string, number[]>[] }
    }
    const events: Event[] = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8'))
    return events
      .filter(({ name }) => name.endsWith('_kernel_time'))
      .sort((a, b) => a.ts - b.ts)
      .map(({ args }) => ({ op: args.op_name, shape: String(Object.values(args.output_type_shape[0]!)[0]) }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('ONNX Runtime computes each layer again when its turn comes, behind all gradients of the layer above', async () => {
  const { loss } = chain()
  for (const recompute of [false, true]) {
    const slopes = gradients(loss, weights, { recompute })
    const ran = await profile({ loss, ...Object.fromEntries(slopes.map((dw, i) => [`d${i}`, dw])) })
    const gelus = ran.flatMap(({ op, shape }, at) => (/^\w*Gelu$/.test(op) ? [{ shape, at }] : []))
    const order = recompute ? [5, 6, 7, 7, 6, 5] : [5, 6, 7]
    assert.deepEqual(
      gelus.map(({ shape }) => shape),
      order.map((width) => `3,${width}`),
    )
    // Layers of widths 7, 6, 5: the gradients of a and b of one come before those of the next.
    const done = [7, 6, 5].map((width) =>
      ['a', 'b'].map((name) => {
        const shape = name === 'a' ? `4,${width}` : `${width},4`
        return ran.findLastIndex((event) => /MatMul|Gemm/.test(event.op) && event.shape === shape)
      }),
    )
    for (const [i, places] of done.entries()) {
      assert.ok(Math.min(...places) >= 0)
      if (i > 0) assert.ok(Math.min(...places) > Math.max(...done[i - 1]!), JSON.stringify(done))
      if (recompute && i > 0) assert.ok(gelus[3 + i]!.at > Math.max(...done[i - 1]!), JSON.stringify(ran))
    }
  }
})
