import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseExamples } from '../../src/evaluation/examples.ts'
import type { Sample } from '../../src/evaluation/sample.ts'

const samples: Sample[] = Array.from({ length: 100 }, (_, id) => ({ id, image: `${id}.jpg`, references: [] }))
const ids = (some: readonly Sample[]) => some.map(({ id }) => id)

test('the worst, the best and a draw that is always the same', () => {
  const scores = new Map(samples.map(({ id }) => [id, (37 * (id as number)) % 100]))
  const [worst, best, random, ...more] = chooseExamples(samples, scores, 4)
  assert.equal(more.length, 0)
  assert.deepEqual([worst?.title, best?.title, random?.title], ['Worst', 'Best', 'Random'])
  // 37 · 73 = 2701 and 37 · 27 = 999: ids with the scores 0, 1, 2, 3 and 99, 98, 97, 96.
  assert.deepEqual(ids(worst!.samples), [0, 73, 46, 19])
  assert.deepEqual(ids(best!.samples), [27, 54, 81, 8])
  assert.deepEqual(chooseExamples(samples, scores, 4)[2], random)
})

test('of equal scores a draw decides, not the order of the file', () => {
  const equal = new Map(samples.map(({ id }) => [id, 50]))
  const [worst, best] = chooseExamples(samples, equal, 10)
  assert.notDeepEqual(ids(worst!.samples), ids(samples.slice(0, 10)))
  assert.equal(new Set([...ids(worst!.samples), ...ids(best!.samples)]).size, 20)
})

test('without scores there is the draw alone', () => {
  const [random, ...more] = chooseExamples(samples, undefined, 5)
  assert.deepEqual([random?.title, random?.samples.length, more.length], ['Random', 5, 0])
})

test('few samples are all shown once, the worst first', () => {
  const scores = new Map([0, 1, 2].map((id) => [id, [50, 0, 100][id]!]))
  assert.deepEqual(
    chooseExamples(samples.slice(0, 3), scores).map((group) => [group.title, ids(group.samples)]),
    [['All', [1, 0, 2]]],
  )
})
