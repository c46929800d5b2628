import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFor } from '../../src/random.ts'

const draw = (text: string, count: number) => {
  const random = randomFor(text)
  return Array.from({ length: count }, random)
}

test('a text gives its numbers, again and everywhere', () => {
  assert.deepEqual(draw('a seed', 5), draw('a seed', 5))
  assert.notDeepEqual(draw('a seed', 5), draw('a seed ', 5))
  // Computed once, here: a change would change every data set and every run that was made from a seed.
  assert.deepEqual(
    draw('blip2', 4).map((number) => number * 2 ** 32),
    [2914818491, 2572936273, 359532825, 873413466],
  )
})

/** Chi-squared of counts that should be equal, in standard deviations above its mean. */
function excess(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  return (chiSquared - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1))
}

/** How often each hundredth comes. */
function histogram(numbers: readonly number[]): number[] {
  const counts = new Array<number>(100).fill(0)
  for (const number of numbers) counts[Math.floor(number * 100)]!++
  return counts
}

/** How often a number of each tenth follows one of each tenth. */
function pairs(numbers: readonly number[]): number[] {
  const counts = new Array<number>(100).fill(0)
  for (let i = 1; i < numbers.length; i++)
    counts[10 * Math.floor(numbers[i - 1]! * 10) + Math.floor(numbers[i]! * 10)]!++
  return counts
}

test('numbers of one text are uniform, and a pair of neighbours is as likely as any other', () => {
  const numbers = draw('one text', 100_000)
  for (const number of numbers) assert.ok(number >= 0 && number < 1)
  assert.ok(excess(histogram(numbers)) < 4)
  assert.ok(excess(pairs(numbers)) < 4)
})

test('the first numbers of texts that hardly differ are uniform and independent', () => {
  // As they are used: one number for each sample of a stream.
  const firsts = Array.from({ length: 50_000 }, (_, i) => randomFor(`1:text:${i}`)())
  assert.ok(excess(histogram(firsts)) < 4)
  assert.ok(excess(pairs(firsts)) < 4)
  assert.ok(new Set(firsts).size > 49_600) // 50,000 of 2^32 numbers: 0.3 repetitions are expected
  const mean = firsts.reduce((sum, number) => sum + number, 0) / firsts.length
  assert.ok(Math.abs(mean - 0.5) < 4 / Math.sqrt(12 * firsts.length))
})
