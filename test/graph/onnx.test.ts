import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import {
  constant,
  type DType,
  input,
  label,
  labelled,
  parameter,
  type Shape,
  scalar,
  type Target,
  toOnnx,
  type Value,
  withFusedForm,
} from '../../src/graph/index.ts'
import { add, concat, mul, neg, split } from '../../src/ops/index.ts'
import { assertTensor } from '../support/assert.ts'
import { compute, evaluate } from '../support/evaluate.ts'
import { readOnnx } from '../support/read-onnx.ts'
import { floats, longs, type Tensor } from '../support/tensors.ts'

const target: Target = { purpose: 'training' }
const x = (shape: Shape = [2]) => input('x', 'float32', shape)
const fed = { x: floats([2], [1, 2]) }

describe('the model', () => {
  test('header, inputs, outputs; every node once, in an order that can be run', () => {
    const shared = neg(x(['batch']))
    const { bytes, weightsFolder } = toOnnx({ sum: add(shared, shared), same: shared }, target)
    const model = readOnnx(bytes)
    assert.equal(model.irVersion, 10)
    assert.deepEqual(model.opsets, { '': 20, 'com.microsoft': 1 })
    assert.deepEqual([model.inputs, model.outputs], [['x'], ['sum', 'same']])
    assert.deepEqual(model.nodes.map((node) => node.op).sort(), ['Add', 'Identity', 'Identity', 'Neg'])
    assert.equal(weightsFolder, undefined)
    const known = new Set([...model.inputs, ...Object.keys(model.initializers)])
    for (const { inputs, outputs } of model.nodes) {
      for (const name of inputs) assert.ok(known.has(name), name)
      for (const name of outputs) known.add(name)
    }
  })

  test('equal small constants are one tensor, those of another shape or dtype are not', () => {
    const y = x()
    const twice = add(mul(y, scalar(2)), mul(neg(y), scalar(2)))
    const others = add(mul(y, scalar(3)), mul(y, constant(Float32Array.of(2), [1])))
    const model = readOnnx(toOnnx({ y: add(twice, others) }, target).bytes)
    assert.equal(Object.keys(model.initializers).length, 3)
  })

  test('the same graph gives the same bytes', () => {
    const build = () => {
      const [a, b] = split(x(['n', 4]), [1, 3], 1)
      return toOnnx({ a: mul(a!, parameter('w', [1], memory([2]))), b: label(neg(b!), 'b.negative') }, target).bytes
    }
    assert.deepEqual(build(), build())
  })

  test('every dtype goes in and out', async () => {
    const tensors: Record<string, Tensor> = {
      float32: floats([1], [1.5]),
      int64: longs([1], [-(2 ** 40)]),
      int32: { dtype: 'int32', shape: [1], data: Int32Array.of(-7) },
      uint8: { dtype: 'uint8', shape: [1], data: Uint8Array.of(255) },
      bool: { dtype: 'bool', shape: [1], data: Uint8Array.of(1) },
    }
    for (const [dtype, tensor] of Object.entries(tensors)) {
      assert.deepEqual(await compute(input('x', dtype as DType, ['n']), { x: tensor }), tensor)
    }
  })

  test('an input, a constant and a weight can be outputs themselves, and one value two outputs', async () => {
    const weight = parameter('w', [2], memory([3, 4]))
    const results = await evaluate({ one: x(), two: scalar(5), three: weight, four: weight }, fed)
    assertTensor(results.one, fed.x)
    assertTensor(results.two, floats([], [5]))
    assertTensor(results.three, floats([2], [3, 4]))
    assertTensor(results.four, floats([2], [3, 4]))
  })
})

describe('names', () => {
  test('nodes and tensors are named by their labels, so an intermediate can be made an output', async () => {
    const hidden = label(neg(x()), 'layers.0')
    const y = neg(withFusedForm(label(mul(hidden, hidden), 'layers.1'), () => label(mul(hidden, hidden), 'layers.1')))
    const found = labelled([y])
    for (const purpose of ['training', 'inference'] as const) {
      const outputs = { y, first: found.get('layers.0')!, second: found.get('layers.1')! }
      const results = await evaluate(outputs, fed, { purpose })
      assertTensor(results.first, floats([2], [-1, -2]))
      assertTensor(results.second, floats([2], [1, 4]))
    }
    const names = readOnnx(toOnnx({ y }, target).bytes).nodes.map((node) => node.name)
    assert.ok(names.includes('layers.0') && names.includes('layers.1'), names.join(' '))
  })

  test('what the caller feeds and asks for keeps its name, whatever the labels', async () => {
    const first = label(neg(x()), 'b')
    const second = label(neg(first), 'b')
    const third = label(neg(second), 'y')
    const y = add(third, mul(input('b', 'float32', [2]), parameter('b', [2], memory([10, 10]))))
    const results = await evaluate({ y }, { ...fed, b: floats([2], [1, 1]) })
    assertTensor(results.y, floats([2], [9, 8]))
  })

  test('two graph inputs of one name, or an output named like an input', () => {
    assert.throws(() => toOnnx({ y: add(x(), x()) }, target), /two inputs or outputs of the graph are named x/)
    assert.throws(() => toOnnx({ x: neg(x()) }, target), /named x/)
    assert.throws(() => toOnnx({ y: add(x(), parameter('x', [2])) }, target), /named x/)
  })
})

describe('weights', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blip2-weights-'))
  after(() => rmSync(folder, { recursive: true }))

  /** A weight of two elements that lies in a file behind `offset` other bytes. */
  function stored(name: string, file: string, dtype: DType, bytes: readonly number[], offset: number): Value {
    const path = join(folder, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, Uint8Array.of(...new Array<number>(offset).fill(0xff), ...bytes, 0xff, 0xff))
    return parameter(name, [2], { kind: 'file', dtype, file: path, offset, length: bytes.length })
  }
  // 1.5 and -2, little-endian, in IEEE 754 binary32 and binary16 and in bfloat16.
  const float32 = [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]
  const float16 = [0, 0x3e, 0, 0xc0]
  const bfloat16 = [0xc0, 0x3f, 0, 0xc0]

  test('in memory: a part of a larger array', async () => {
    const weight = parameter('w', [2], { kind: 'memory', values: new Float32Array([9, 3, 4]).subarray(1) })
    assertTensor(await compute(add(x(), weight), fed), floats([2], [4, 6]))
  })

  test('without data: an input under the published name', async () => {
    const value = add(x(), parameter('fc1.bias', [2]))
    assert.deepEqual(readOnnx(toOnnx({ value }, target).bytes).inputs.toSorted(), ['fc1.bias', 'x'])
    assertTensor(await compute(value, { ...fed, 'fc1.bias': floats([2], [3, 4]) }), floats([2], [4, 6]))
  })

  test('in a file: read where they lie, at any offset', async () => {
    for (const offset of [0, 8, 5]) {
      const weight = stored('w', `offset-${offset}.bin`, 'float32', float32, offset)
      assertTensor(await compute(weight), floats([2], [1.5, -2]))
      const { bytes, weightsFolder } = toOnnx({ y: weight }, target)
      assert.equal(weightsFolder, folder)
      assert.deepEqual(readOnnx(bytes).initializers, {
        w: { location: `offset-${offset}.bin`, offset: String(offset), length: '8' },
      })
    }
  })

  test('in several files below one folder', async () => {
    const a = stored('a', 'first/model.bin', 'float32', float32, 4)
    const b = stored('b', 'second/deep/model.bin', 'float32', float32, 12)
    const { bytes, weightsFolder } = toOnnx({ y: add(a, b) }, target)
    assert.equal(weightsFolder, folder)
    const { initializers } = readOnnx(bytes)
    assert.deepEqual([initializers.a?.location, initializers.b?.location], ['first/model.bin', 'second/deep/model.bin'])
    assertTensor(await compute(concat([a, b], 0)), floats([4], [1.5, -2, 1.5, -2]))
  })

  test('halves are widened', async () => {
    for (const [dtype, bytes] of [
      ['float16', float16],
      ['bfloat16', bfloat16],
    ] as const) {
      const weight = stored('w', `${dtype}.bin`, dtype, bytes, 2)
      assert.equal(weight.dtype, 'float32')
      assertTensor(await compute(mul(weight, x()), fed), floats([2], [1.5, -4]))
    }
  })

  test('a weight that is used twice is one tensor', () => {
    const weight = stored('w', 'twice.bin', 'float16', float16, 0)
    const model = readOnnx(toOnnx({ y: add(mul(weight, x()), weight) }, target).bytes)
    assert.equal(Object.keys(model.initializers).length, 1)
    assert.equal(model.nodes.filter((node) => node.op === 'Cast').length, 1)
  })
})

test('a graph of 5,000 nodes', async () => {
  let y = x()
  for (let i = 0; i < 5000; i++) y = neg(y)
  assertTensor(await compute(y, fed), fed.x)
})

function memory(values: readonly number[]) {
  return { kind: 'memory', values: Float32Array.from(values) } as const
}
