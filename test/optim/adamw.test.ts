import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../src/errors.ts'
import { type AdamWOptions, adamw, type Trained } from '../../src/optim/adamw.ts'
import { createVariable } from '../../src/optim/variable.ts'
import { uniform } from '../support/tensors.ts'

interface Given {
  readonly value: readonly number[]
  readonly gradient: readonly number[]
  readonly weightDecay?: number
  readonly rateFactor?: number
}

function trained({ value, gradient, weightDecay = 0, rateFactor = 1 }: Given): Trained {
  const variable = { ...createVariable([value.length]), weightDecay, rateFactor }
  variable.value.set(value)
  variable.gradient.set(gradient)
  return variable
}

const variables = (given: Readonly<Record<string, Given>>) =>
  new Map(Object.entries(given).map(([name, one]) => [name, trained(one)]))

function near(found: Iterable<number>, expected: readonly number[], tolerance = 1e-6): void {
  const values = [...found]
  assert.equal(values.length, expected.length)
  values.forEach((value, i) => {
    assert.ok(
      Object.is(value, expected[i]) || Math.abs(value - expected[i]!) <= tolerance,
      `${i}: ${value} is not ${expected[i]}`,
    )
  })
}

const options: AdamWOptions = { learningRate: 0.1, betas: [0.9, 0.999] }

test('the first step by hand: the sign of the gradient, and the decay of the parameter as it was', () => {
  // m / (1 - 0.9) = g and √(v / (1 - 0.999)) = |g|, so p - 0.1·(0.1·p + sign g); m = 0.1·g, v = 0.001·g²
  const all = variables({ w: { value: [1, -2, 0], gradient: [0.5, -3, 0], weightDecay: 0.1 } })
  const { gradientNorm, nonFinite } = adamw(all, 1, options)
  const { value, exp_avg, exp_avg_sq } = all.get('w')!
  near(value, [0.89, -1.88, 0])
  near(exp_avg, [0.05, -0.3, 0])
  near(exp_avg_sq, [0.00025, 0.009, 0])
  near([gradientNorm], [Math.sqrt(9.25)])
  assert.equal(nonFinite, undefined)
})

/** The formulas of the paper, in float64 and in torch's order. */
function naive(p: number, gradients: readonly number[], decay: number, { learningRate: lr, betas }: AdamWOptions) {
  const [beta1, beta2] = betas
  let [m, v] = [0, 0]
  gradients.forEach((g, i) => {
    p *= 1 - lr * decay
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    p -= (lr * (m / (1 - beta1 ** (i + 1)))) / (Math.sqrt(v / (1 - beta2 ** (i + 1))) + 1e-8)
  })
  return { p, m, v }
}

for (const size of [1, 2, 3, 4, 5, 8, 1023]) {
  test(`20 steps of ${size} elements agree with the obvious loop`, () => {
    const random = uniform(size)
    const draw = (count: number, scale: number) =>
      Array.from({ length: count }, () => Math.fround(scale * (random() - 0.5)))
    const start = draw(size, 1)
    const gradients = Array.from({ length: 20 }, (_, i) => draw(size, 10 ** (i % 5) / 1000))
    const all = variables({ w: { value: start, gradient: [], weightDecay: 0.05 } })
    const w = all.get('w')!
    const settings: AdamWOptions = { learningRate: 1e-3, betas: [0.9, 0.98] }
    gradients.forEach((gradient, i) => {
      w.gradient.set(gradient)
      adamw(all, i + 1, settings)
    })
    const expected = start.map((p, i) =>
      naive(
        p,
        gradients.map((gradient) => gradient[i]!),
        0.05,
        settings,
      ),
    )
    near(
      w.value,
      expected.map(({ p }) => p),
    )
    near(
      w.exp_avg,
      expected.map(({ m }) => m),
    )
    near(
      w.exp_avg_sq,
      expected.map(({ v }) => v),
    )
  })
}

test('clipping shrinks all gradients by one factor, only when their common norm is larger', () => {
  const norms = { a: { value: [0], gradient: [3] }, b: { value: [0, 0], gradient: [0, -4] } } // together 5
  const all = variables(norms)
  near([adamw(all, 1, { ...options, clipNorm: 1 }).gradientNorm], [5])
  near(all.get('a')!.exp_avg, [0.1 * (3 / 5.000001)], 1e-8)
  near(all.get('b')!.exp_avg, [0, 0.1 * (-4 / 5.000001)], 1e-8)
  const small = variables(norms)
  adamw(small, 1, { ...options, clipNorm: 5.1 })
  near(small.get('a')!.exp_avg, [0.3], 1e-7)
})

test('accumulated gradients are scaled before they are measured', () => {
  const all = variables({ w: { value: [0, 0], gradient: [6, 8] } })
  near([adamw(all, 1, { ...options, gradientScale: 0.5, clipNorm: 5 }).gradientNorm], [5])
  near(all.get('w')!.exp_avg, [0.3, 0.4])
})

test('a parameter with a factor of its own moves, and decays, by that much less', () => {
  const all = variables({ w: { value: [1], gradient: [1], weightDecay: 0.5, rateFactor: 0.1 } })
  adamw(all, 1, options)
  near(all.get('w')!.value, [1 - 0.01 * (0.5 + 1)])
})

test('a gradient that is not finite is named, and nothing changes', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const all = variables({
      good: { value: [1, 2], gradient: [1, 1], weightDecay: 1 },
      bad: { value: [1, 2, 3, 4, 5], gradient: [0, 0, 0, 0, bad] },
      worse: { value: [1], gradient: [bad] },
    })
    const result = adamw(all, 1, options)
    assert.equal(result.nonFinite, 'bad')
    assert.deepEqual([...all.get('good')!.value], [1, 2])
    assert.deepEqual([...all.get('good')!.exp_avg], [0, 0])
  }
})

test('gradients whose squares float32 cannot hold are still measured', () => {
  const all = variables({ w: { value: [0], gradient: [1e30] } })
  const { gradientNorm, nonFinite } = adamw(all, 1, { ...options, clipNorm: 1 })
  assert.ok(Math.abs(gradientNorm / 1e30 - 1) < 1e-6)
  assert.equal(nonFinite, undefined)
  near(all.get('w')!.exp_avg, [0.1])
})

test('moments that no longer matter become 0, instead of denormal numbers; a NaN stays one', () => {
  const all = variables({ w: { value: [1, 1, 1, 1, 1], gradient: [0, 0, 0, 0, 1e-29] } })
  const { value, exp_avg, exp_avg_sq } = all.get('w')!
  exp_avg.set([1e-38, -1e-38, 1e-29, Number.NaN, 0])
  exp_avg_sq.set([1e-38, 1e-31, 1e-29, 1e-29, 0])
  adamw(all, 1, options)
  near(exp_avg.subarray(0, 2), [0, 0], 0)
  near(
    [...exp_avg.subarray(2), ...exp_avg_sq].map((moment) => moment * 1e29),
    [0.9, Number.NaN, 0.1, 0, 0, 0.999, 0.999, 0],
  )
  near(value.subarray(0, 2), [1, 1], 0)
})

test('the same step twice gives the same bits', () => {
  const bits = () => {
    const random = uniform(7)
    const draw = () => Array.from({ length: 1001 }, () => random() - 0.5)
    const all = variables({ w: { value: draw(), gradient: draw(), weightDecay: 0.05 } })
    for (let step = 1; step <= 5; step++) adamw(all, step, { ...options, clipNorm: 0.5 })
    return Buffer.from(all.get('w')!.value.slice().buffer)
  }
  assert.ok(bits().equals(bits()))
})

test('options that make no sense are refused before anything changes', () => {
  const wrong: [Partial<AdamWOptions>, RegExp][] = [
    [{ learningRate: Number.NaN }, /AdamW: learningRate: expected a number of at least 0, found NaN/],
    [{ learningRate: -1 }, /learningRate/],
    [{ betas: [0.9, 1] }, /betas: expected numbers from 0 to below 1, found 1/],
    [{ eps: 0 }, /eps: expected a number above 0, found 0/],
    [{ gradientScale: Number.NaN }, /gradientScale/],
    [{ clipNorm: 0 }, /clipNorm/],
  ]
  const all = variables({ w: { value: [1], gradient: [1] } })
  for (const [change, message] of wrong) {
    assert.throws(
      () => adamw(all, 1, { ...options, ...change }),
      (error) => error instanceof ConfigError && message.test(error.message),
    )
  }
  assert.deepEqual([...all.get('w')!.value], [1])
})
