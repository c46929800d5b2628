import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import ort from 'onnxruntime-node'
import { gradients } from '../../src/autodiff/index.ts'
import { input, toOnnx, type Value } from '../../src/graph/index.ts'
import { add, exp, mul, onceKnown, reduceSum } from '../../src/ops/index.ts'
import { assertTensor } from '../support/assert.ts'
import { compute } from '../support/evaluate.ts'
import { readOnnx } from '../support/read-onnx.ts'
import { floats, longs } from '../support/tensors.ts'

const x = input('x', 'float32', ['batch', 'tokens', 3])
const y = input('y', 'float32', ['batch', 2])
const z = input('z', 'float32', [])

test('the same bits, whatever the others are', async () => {
  const values = floats([1, 2, 3], [Number.NaN, -0, 0, Number.POSITIVE_INFINITY, 1e-40, -5])
  const bits = ({ data }: { readonly data: ArrayBufferView }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  for (const odd of [0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const found = await compute(onceKnown(x, [y, z]), { x: values, y: floats([1, 2], [odd, 1]), z: floats([], [odd]) })
    assert.deepEqual(found.shape, [1, 2, 3])
    assert.deepEqual(bits(found), bits(values))
  }
})

test('one number, and whole numbers', async () => {
  const fed = { x: floats([], [4]), ids: longs([2], [7, 8]), z: floats([], [1]) }
  assertTensor(await compute(onceKnown(input('x', 'float32', []), [z]), fed), fed.x)
  assert.deepEqual((await compute(onceKnown(input('ids', 'int64', ['count']), [z]), fed)).data, fed.ids.data)
})

test('the gradient passes through', async () => {
  const one = input('x', 'float32', [2])
  const [dx] = gradients(reduceSum(mul(onceKnown(one, [z]), onceKnown(one, [z])), [0]), [one])
  assertTensor(await compute(dx!, { x: floats([2], [3, -4]), z: floats([], [1]) }), floats([2], [6, -8]))
})

/** The operators that are left when ONNX Runtime has optimised a graph. */
async function optimised(outputs: Record<string, Value>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'blip2-order-'))
  try {
    const file = join(folder, 'optimised.onnx')
    const options = { graphOptimizationLevel: 'extended', optimizedModelFilePath: file, logSeverityLevel: 3 } as const
    await (await ort.InferenceSession.create(toOnnx(outputs, { purpose: 'training' }).bytes, options)).release()
    return readOnnx(readFileSync(file)).nodes.map(({ op }) => op)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('ONNX Runtime joins what is computed twice from one value, but not from it once another is known', async () => {
  const fixed = input('x', 'float32', [2, 3])
  const count = (ops: readonly string[]) => ops.filter((op) => op === 'Exp').length
  assert.equal(count(await optimised({ sum: add(exp(fixed), exp(fixed)) })), 1)
  assert.equal(count(await optimised({ sum: add(exp(fixed), exp(onceKnown(fixed, [z]))) })), 2)
})
