import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Value } from '../../src/graph/index.ts'
import { initialisedParams } from '../../src/nn/index.ts'
import { gridSinusoids, sinusoids } from '../../src/nn/sinusoids.ts'

/** The numbers of a weight that lies in memory. */
function valuesOf(value: Value): Float32Array {
  if (value.source.kind !== 'parameter' || value.source.data?.kind !== 'memory') throw new Error('expected a weight')
  return value.source.data.values
}

const weight = (name: string, shape: readonly number[], seed = 1) =>
  valuesOf(initialisedParams({ seed }).get(name, shape))

/** Mean, variance and fourth moment. */
function moments(values: Float32Array) {
  const mean = (of: (x: number) => number) => values.reduce((sum, x) => sum + of(x), 0) / values.length
  const centre = mean((x) => x)
  return { mean: centre, variance: mean((x) => (x - centre) ** 2), fourth: mean((x) => (x - centre) ** 4) }
}

test('weights are normal with standard deviation 0.02, or the given one', () => {
  const count = 1_000_000
  for (const [deviation, values] of [
    [0.02, weight('fc1.weight', [1000, 1000])],
    [0.5, valuesOf(initialisedParams({ seed: 2, deviation: 0.5 }).get('fc1.weight', [1000, 10, 100]))],
  ] as const) {
    const { mean, variance, fourth } = moments(values)
    // Five standard errors of each moment of a normal sample.
    assert.ok(Math.abs(mean) < (5 * deviation) / Math.sqrt(count), `mean ${mean}`)
    assert.ok(Math.abs(variance / deviation ** 2 - 1) < 5 * Math.sqrt(2 / count), `variance ${variance}`)
    assert.ok(Math.abs(fourth / deviation ** 4 - 3) < 5 * Math.sqrt(96 / count), `fourth moment ${fourth}`)
    assert.ok(values.some((x) => Math.abs(x) > 4 * deviation))
  }
})

test('biases are 0, scales of norms 1', () => {
  assert.deepEqual(weight('fc1.bias', [3]), new Float32Array(3))
  assert.deepEqual(weight('layer_norm1.weight', [2]), Float32Array.of(1, 1))
})

test('tables of positions begin as waves: of tokens with the same deviation, of patches √size as high', () => {
  const tokens = weight('language_model.model.decoder.embed_positions.weight', [10, 8])
  assert.deepEqual(
    tokens,
    sinusoids(10, 8, Math.PI).map((x) => 0.02 * x),
  )
  const questions = weight('embeddings.position_embeddings.weight', [10, 8])
  assert.deepEqual(
    questions,
    sinusoids(10, 8).map((x) => 0.02 * x),
  )
  const patches = gridSinusoids(3, 8).map((x) => 0.02 * Math.sqrt(8) * x)
  assert.deepEqual(weight('vision_model.embeddings.position_embedding', [1, 10, 8]), patches)
  assert.deepEqual(weight('vision_model.embeddings.position_embedding.weight', [10, 8]), patches)
})

test('a weight depends on the seed and its name, not on the order', () => {
  const [forwards, backwards] = [initialisedParams({ seed: 7 }), initialisedParams({ seed: 7 })]
  const names = ['a.weight', 'b.weight', 'c.weight']
  const first = names.map((name) => valuesOf(forwards.get(name, [4, 5])))
  const second = names.toReversed().map((name) => valuesOf(backwards.get(name, [4, 5])))
  assert.deepEqual(first, second.toReversed())
  assert.notDeepEqual(first[0], first[1])
  assert.notDeepEqual(first[0], weight('a.weight', [4, 5], 8))
})

test('the first numbers stay as they are, so that a seed stays a result', () => {
  // From a second implementation of sfc32, FNV-1a and Box–Muller, in Python's whole numbers.
  const expected = ['-0.028144', '0.030430', '0.030306', '-0.003212']
  const found = [...weight('a.weight', [2, 2])].map((x) => x.toFixed(6))
  assert.deepEqual(found, expected)
})

test('weights are unrelated: no correlation between any two of a layer, nor within one', () => {
  const names = ['query', 'key', 'value', 'dense'].flatMap((name) => [`0.${name}.weight`, `1.${name}.weight`])
  const all = names.map((name) => weight(name, [100, 100]))
  const correlation = (a: Float32Array, b: Float32Array, shift = 0) =>
    a.subarray(shift).reduce((sum, x, i) => sum + x * b[i]!, 0) / (0.02 ** 2 * a.length)
  for (const [i, a] of all.entries()) {
    assert.ok(Math.abs(correlation(a, a, 1)) < 0.05)
    for (const b of all.slice(0, i)) assert.ok(Math.abs(correlation(a, b)) < 0.05)
  }
})
