import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listSource, shuffled } from '../../src/data/list.ts'
import { passKeys, textSamples } from './collect.ts'

const samples = textSamples('a', 20)
const source = listSource('a', samples)
const keys = samples.map(({ key }) => key)

test('each pass has every sample once, in an order of its own', async () => {
  assert.equal(await source.size(), 20)
  const passes = await Promise.all([0, 1, 2, 3].map((number) => passKeys(source, number)))
  for (const pass of passes) assert.deepEqual(pass.toSorted(), keys.toSorted())
  const orders = new Set([keys, ...passes, await passKeys(source, 0, { seed: 2 })].map((pass) => pass.join()))
  assert.equal(orders.size, 6)
})

test('an order depends on the seed, the name and the pass only', async () => {
  const again = listSource('a', samples)
  assert.deepEqual(await passKeys(again, 3, { seed: 7 }), await passKeys(source, 3, { seed: 7 }))
  assert.notDeepEqual(await passKeys(listSource('b', samples), 3, { seed: 7 }), await passKeys(source, 3, { seed: 7 }))
})

test('what is skipped is the beginning', async () => {
  const whole = await passKeys(source, 5)
  for (const skip of [0, 1, 19, 20, 21]) assert.deepEqual(await passKeys(source, 5, { skip }), whole.slice(skip))
})

test('an empty list and a single sample', async () => {
  assert.deepEqual(await passKeys(listSource('none', []), 0), [])
  assert.deepEqual(await passKeys(listSource('one', textSamples('b', 1)), 9), ['b0'])
})

test('every order is as likely as any other', () => {
  const draws = 6000
  const counts = new Map<string, number>()
  for (let i = 0; i < draws; i++) {
    const order = shuffled(3, `order ${i}`).join()
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  // Chi-squared of 6 equal classes: 20.5 is exceeded once in a thousand seeds (5 degrees of freedom), and this one is fixed.
  const expected = draws / 6
  const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  assert.equal(counts.size, 6)
  assert.ok(chiSquared < 20.5, `chi-squared ${chiSquared}`)
})
