/** Models of a few operators, small enough to know their results by hand. */
import { gradients } from '../../src/autodiff/index.ts'
import {
  type DType,
  input,
  node,
  parameter,
  type Shape,
  scalar,
  toOnnx,
  type Value,
  type WeightData,
} from '../../src/graph/index.ts'
import {
  add,
  concat,
  div,
  gelu,
  gemm,
  matmul,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  softmax,
  sub,
} from '../../src/ops/index.ts'
import type { Tensor } from '../../src/runtime/device.ts'

const write = (outputs: Record<string, Value>) => toOnnx(outputs, { purpose: 'inference' })

export const floats = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
})
export const longs = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(values, BigInt),
})

/** sum = a + b, both (rows, 2). */
export function additionModel(): Uint8Array {
  const [a, b] = [input('a', 'float32', ['rows', 2]), input('b', 'float32', ['rows', 2])]
  return write({ sum: add(a, b), a_again: a }).bytes
}

/** Returns what it is fed, one input of each type and of the given shape. */
export function echoModel(types: readonly DType[], shape: Shape): Uint8Array {
  return write(Object.fromEntries(types.map((dtype) => [`${dtype}_out`, input(dtype, dtype, shape)]))).bytes
}

/** total (1, 2) = column sums of all rows so far; present.log = row, present.twice = row + row (without a past). */
export function logModel(): Uint8Array {
  const row = input('row', 'float32', ['rows', 2])
  const all = concat([input('past.log', 'float32', ['past', 2]), row], 0)
  return write({ total: reduceSum(all, [0]), 'present.log': row, 'present.twice': add(row, row) }).bytes
}

/** big (count): one float repeated, so that a caller can ask for any amount of memory. */
export function repeatModel(): Uint8Array {
  const inputs = [input('value', 'float32', [1]), input('count', 'int64', [1])]
  return write({ big: node('Expand', inputs, { shape: ['count'], gradient: 'a test does not need it' }) }).bytes
}

/** An operator that does not exist. */
export function unknownOperatorModel(): Uint8Array {
  const x = input('x', 'float32', [1])
  return write({ y: node('Nonsense', [x], { shape: [1], gradient: 'a test does not need it' }) }).bytes
}

/** sum of x·w·w·…, x (rows, 1024) and w (1024, 1024): takes as long as there are rows. */
export function slowModel(products = 24): Uint8Array {
  const w = input('w', 'float32', [1024, 1024])
  let y = input('x', 'float32', ['rows', 1024])
  for (let i = 0; i < products; i++) y = matmul(y, w)
  return write({ sum: reduceSum(y, [0, 1]) }).bytes
}

export function slowFeeds(rows: number): Record<string, Tensor> {
  return {
    x: { dtype: 'float32', shape: [rows, 1024], data: new Float32Array(rows * 1024) },
    w: { dtype: 'float32', shape: [1024, 1024], data: new Float32Array(1024 * 1024) },
  }
}

/** y = x·wᵀ with x (rows, in) and w (out, in) wherever `data` lies. */
export function linearModel(shape: readonly [out: number, inSize: number], data: WeightData) {
  return write({ y: gemm(input('x', 'float32', ['rows', shape[1]]), parameter('w', shape, data)) })
}

/** sum of x·wᵀ, with x (rows, in) and w (out, in), and the gradient of w. */
export function sumModel(shape: readonly [out: number, inSize: number]): Uint8Array {
  const w = parameter('w', shape)
  const sum = reshape(reduceSum(gemm(input('x', 'float32', ['rows', shape[1]]), w), [0, 1]), [])
  const [dw] = gradients(sum, [w]) as [Value]
  return toOnnx({ sum, 'gradient.w': dw }, { purpose: 'training' }).bytes
}

/**
 * The mean square of softmax(gelu(x·w₀ᵀ)·w₁ᵀ), with x (rows, 256) and w₀, w₁ (256, 256), and the gradients of both: large enough that
 * threads share the work.
 */
export function layersModel(): Uint8Array {
  const weights = ['w0', 'w1'].map((name) => parameter(name, [256, 256]))
  const [w0, w1] = weights as [Value, Value]
  const y = softmax(gemm(gelu(gemm(input('x', 'float32', ['rows', 256]), w0)), w1))
  const loss = reshape(reduceMean(mul(y, y), [0, 1]), [])
  const [dw0, dw1] = gradients(loss, weights) as [Value, Value]
  return toOnnx({ loss, 'gradient.w0': dw0, 'gradient.w1': dw1 }, { purpose: 'training' }).bytes
}

/**
 * prediction = x·wᵀ + b, with x (rows, 2), w (1, 2) and b (1); loss = the mean of (prediction - y)². With the gradients of w and b
 * as a training graph has them, and without.
 */
export function lineModels() {
  const [x, y] = [input('x', 'float32', ['rows', 2]), input('y', 'float32', ['rows', 1])]
  const [w, b] = [parameter('w', [1, 2]), parameter('b', [1])]
  const prediction = add(gemm(x, w), b)
  const error = sub(prediction, y)
  const loss = reshape(reduceMean(mul(error, error), [0, 1]), [])
  const [dw, db] = gradients(loss, [w, b]) as [Value, Value]
  const train = (outputs: Record<string, Value>) => toOnnx(outputs, { purpose: 'training' }).bytes
  return {
    training: train({ loss, 'gradient.w': dw, 'gradient.b': db }),
    /** Of the same loss, the gradient of w only. */
    half: train({ loss, 'gradient.w': dw }),
    prediction: write({ prediction }).bytes,
    /** With a gradient of w that is not finite when the sum of y is 0. */
    divided: train({ loss, 'gradient.w': div(dw, reduceSum(y, [0, 1])), 'gradient.b': db }),
    /** With as many gradients of w as there are rows. */
    perRow: train({ 'gradient.w': matmul(mul(error, scalar(2)), w) }),
    misshapen: train({ 'gradient.w': reshape(dw, [2, 1]) }),
    unknown: train({ 'gradient.v': dw }),
  }
}
