/** Gradients against central differences. */
import assert from 'node:assert/strict'
import { gradients } from '../../src/autodiff/index.ts'
import { input, type Shape, type Value } from '../../src/graph/index.ts'
import { mul, reduceSum } from '../../src/ops/index.ts'
import { type Feeds, prepare, type Run } from './evaluate.ts'
import { normal, numbers, type Tensor } from './tensors.ts'

/** A name that no graph under test has. */
const output = 'output of the test'

export interface GradientOptions {
  /** Distance between two points of the difference. */
  readonly step?: number
  /** Largest deviation, as a share of the largest element of that gradient (or of 1, if that is larger). */
  readonly tolerance?: number
}

/**
 * Checks the gradient of a random weighting of `build(inputs)` with respect to every float32 input.
 * `shapes` gives inputs shapes with named sizes; the others have those of their tensors.
 */
export async function assertGradients<Name extends string>(
  inputs: Readonly<Record<Name, Tensor>>,
  build: (inputs: Readonly<Record<Name, Value>>) => Value,
  options: GradientOptions & { readonly shapes?: Readonly<Partial<Record<Name, Shape>>> } = {},
): Promise<void> {
  const names = Object.keys(inputs) as Name[]
  const values = Object.fromEntries(
    names.map((name) => [name, input(name, inputs[name].dtype, options.shapes?.[name] ?? inputs[name].shape)]),
  ) as Record<Name, Value>
  const wrt = names.filter((name) => inputs[name].dtype === 'float32').map((name) => values[name])
  await assertGradientsOf(build(values), wrt, inputs, options)
}

/** The same for a graph that is there already: `wrt` are its inputs, or weights without data, which are inputs too. */
export async function assertGradientsOf(
  y: Value,
  wrt: readonly Value[],
  feeds: Feeds,
  options: GradientOptions = {},
): Promise<void> {
  const weighting = input('weighting of the test', 'float32', y.shape)
  const weighted = mul(y, weighting)
  const axes = y.shape.map((_, axis) => axis)
  const dxs = gradients(axes.length > 0 ? reduceSum(weighted, axes) : weighted, wrt)
  wrt.forEach((x, i) => {
    assert.deepEqual(dxs[i]?.shape, x.shape, `shape of the gradient of ${x.label}`)
  })

  const forward = await prepare({ [output]: y })
  const weights = normal(20230130, (await forward(feeds))[output]!.shape)
  const backward = await prepare(Object.fromEntries(wrt.map((x, i) => [`d ${x.label}`, dxs[i]!])))
  const results = await backward({ ...feeds, [weighting.label!]: weights })
  for (const { label } of wrt) {
    const name = label!
    assert.deepEqual(results[`d ${name}`]!.shape, feeds[name]!.shape, `sizes of the gradient of ${name}`)
    const expected = await centralDifferences(forward, feeds, name, numbers(weights), options.step ?? 1 / 32)
    assertClose(numbers(results[`d ${name}`]), expected, options.tolerance ?? 1e-4, name)
  }
}

/** Fourth order: (8·(f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h, the weighting summed in double precision. */
async function centralDifferences(
  run: Run,
  feeds: Feeds,
  name: string,
  weights: readonly number[],
  step: number,
): Promise<number[]> {
  const x = feeds[name]!
  const loss = async (index: number, shift: number): Promise<number> => {
    const data = Float32Array.from(numbers(x))
    data[index]! += shift
    const results = await run({ ...feeds, [name]: { ...x, data } })
    return numbers(results[output]).reduce((sum, value, i) => sum + value * weights[i]!, 0)
  }
  const slopes: number[] = []
  for (let i = 0; i < x.data.length; i++) {
    const near = (await loss(i, step)) - (await loss(i, -step))
    const far = (await loss(i, 2 * step)) - (await loss(i, -2 * step))
    slopes.push((8 * near - far) / (12 * step))
  }
  return slopes
}

function assertClose(found: readonly number[], expected: readonly number[], tolerance: number, name: string): void {
  const limit = tolerance * Math.max(1, ...expected.map(Math.abs))
  found.forEach((value, i) => {
    const wrong = !(Math.abs(value - expected[i]!) <= limit)
    if (wrong) assert.fail(`gradient of ${name} at ${i}: central differences ${expected[i]}, found ${value}`)
  })
}
