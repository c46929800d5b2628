import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CheckpointError, ConfigError, DataError } from '../../src/errors.ts'
import { type FeatureCache, openFeatureCache } from '../../src/training/node-feature-cache.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-features-'))
after(() => rmSync(root, { recursive: true }))

const shape = { patches: 2, hiddenSize: 3 }
const slotBytes = 2 * 2 * 3
const identity = { image_size: 64, crop: [0.5, 1], weights: ['a.safetensors'] }

/** Six numbers that float16 holds, other ones for every key. */
const featuresOf = (key: string): number[] => Array.from({ length: 6 }, (_, i) => key.charCodeAt(0) + i / 8)
const features = (...keys: string[]) => Float32Array.from(keys.flatMap(featuresOf))
const cacheIn = (name: string) => openFeatureCache(join(root, name), identity, shape)

/** Writes keys, each with its features, list by list. */
async function filled(name: string, ...lists: string[][]): Promise<string> {
  for (const keys of lists) {
    const cache = await cacheIn(name)
    await cache.write(keys, features(...keys))
    await cache.close()
  }
  return join(root, name)
}

async function assertHolds(cache: FeatureCache, held: string[], missing: string[]): Promise<void> {
  for (const key of missing) assert.equal(cache.has(key), false, key)
  assert.equal(cache.count, held.length)
  assert.equal(cache.bytes, held.length * slotBytes)
  const backwards = held.toReversed()
  assert.deepEqual(await cache.read(backwards), features(...backwards))
}

test('what was written is read in any order, also twice in one call, and after opening again', async () => {
  const cache = await cacheIn('any order')
  await cache.write(['a', 'b'], features('a', 'b'))
  await cache.write(['c'], features('c'))
  assert.deepEqual(await cache.read(['c', 'a', 'c']), features('c', 'a', 'c'))
  assert.deepEqual(await cache.read([]), new Float32Array(0))
  await cache.close()
  const again = await cacheIn('any order')
  await assertHolds(again, ['a', 'b', 'c'], ['d'])
  await again.write(['d'], features('d'))
  await assertHolds(again, ['a', 'b', 'c', 'd'], [])
  await again.close()
})

test('a key is kept once, as it was first written', async () => {
  const cache = await cacheIn('once')
  await cache.write(['a', 'b', 'a'], features('a', 'b', 'x'))
  await cache.write(['b', 'c'], features('y', 'c'))
  await assertHolds(cache, ['a', 'b', 'c'], [])
  await cache.close()
})

test('numbers are rounded to the nearest float16', async () => {
  const cache = await cacheIn('rounded')
  // Beside 1, float16 counts in steps of 2^-10, with ties to even; the least of its numbers is 2^-24.
  const ulp = 2 ** -10
  await cache.write(['a'], Float32Array.of(1 + 0.4 * ulp, 1 + 0.5 * ulp, 1 + 1.5 * ulp, -1e-9, 2 ** -24, 65504))
  assert.deepEqual(await cache.read(['a']), Float32Array.of(1, 1, 1 + 2 * ulp, -0, 2 ** -24, 65504))
  await cache.close()
})

test('a number that float16 does not hold is named, and nothing is kept of the write', async () => {
  const cache = await cacheIn('too large')
  const numbers = features('a', 'b')
  numbers[8] = 70000
  await assert.rejects(cache.write(['a', 'b'], numbers), (error) => {
    assert.ok(error instanceof DataError)
    assert.equal(
      error.message,
      'b: the image encoder gives 70000, which float16 does not hold; train without cache_features',
    )
    return true
  })
  await assertHolds(cache, [], ['a', 'b'])
  await cache.write(['b'], features('b'))
  await assertHolds(cache, ['b'], ['a'])
  await cache.close()
})

test('writes that are begun at once follow each other', async () => {
  const cache = await cacheIn('at once')
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.write([key, 'z'], features(key, 'z'))))
  await assertHolds(cache, ['a', 'z', 'b', 'c', 'd'], [])
  await cache.close()
})

test('what a killed run had not listed is cut off, and written again', async () => {
  const folder = await filled('killed', ['a', 'b'])
  const cache = await cacheIn('killed')
  await cache.write(['c', 'd'], features('c', 'd'))
  await assertHolds(cache, ['a', 'b', 'c', 'd'], [])
  // The files as they are now are what a kill would leave.
  cpSync(folder, join(root, 'left'), { recursive: true })
  await cache.close()
  assert.equal(statSync(join(root, 'left', 'features.f16')).size, 4 * slotBytes)
  const left = await cacheIn('left')
  await assertHolds(left, ['a', 'b'], ['c', 'd'])
  await left.write(['d'], features('d'))
  await left.close()
  const again = await cacheIn('left')
  await assertHolds(again, ['a', 'b', 'd'], ['c'])
  await again.close()
})

test('an index cut anywhere: the lists before are there, and it goes on behind them', async () => {
  const folder = await filled('cut index', ['a', 'b'], ['c'], ['d', 'e'])
  const path = join(folder, 'features.index')
  const whole = statSync(path).size
  const lists = [['a', 'b'], ['c'], ['d', 'e']]
  // A record is 8 bytes and its JSON.
  const ends = lists.map(
    (_, i) => whole - lists.slice(i + 1).reduce((sum, list) => sum + 8 + JSON.stringify(list).length, 0),
  )
  for (let length = whole; length >= 0; length -= 3) {
    truncateSync(path, length)
    const cache = await cacheIn('cut index')
    const held = lists.slice(0, ends.filter((end) => end <= length).length).flat()
    await assertHolds(cache, held, ['a', 'b', 'c', 'd', 'e'].slice(held.length))
    assert.equal(statSync(join(folder, 'features.f16')).size, held.length * slotBytes, `${length} bytes`)
    await cache.write(['f'], features('f'))
    await assertHolds(cache, [...held, 'f'], [])
    await cache.close()
    // Back to what it was, for the next cut.
    rmSync(folder, { recursive: true })
    await filled('cut index', ['a', 'b'], ['c'], ['d', 'e'])
  }
})

test('features cut short or too long: only what is whole and listed counts', async () => {
  const folder = await filled('cut features', ['a', 'b'], ['c'], ['d'])
  const path = join(folder, 'features.f16')
  appendFileSync(path, Buffer.alloc(slotBytes + 5))
  const longer = await cacheIn('cut features')
  await assertHolds(longer, ['a', 'b', 'c', 'd'], [])
  await longer.close()
  assert.equal(statSync(path).size, 4 * slotBytes)
  truncateSync(path, 4 * slotBytes - 1)
  const shorter = await cacheIn('cut features')
  await assertHolds(shorter, ['a', 'b', 'c'], ['d'])
  await shorter.close()
  truncateSync(path, slotBytes)
  const half = await cacheIn('cut features')
  await assertHolds(half, [], ['a', 'b', 'c', 'd'])
  await half.close()
})

test('another encoder, other views or another size: refused with the differences, and nothing is changed', async () => {
  const folder = await filled('refused', ['a'])
  const before = ['features.index', 'features.f16'].map((name) => readFileSync(join(folder, name)))
  for (const [other, otherShape, differences] of [
    [{ ...identity, crop: null }, shape, 'crop was [0.5,1], is null'],
    [{ image_size: 64, weights: ['b'], crop: [0.5, 1] }, shape, 'weights was ["a.safetensors"], is ["b"]'],
    [{ ...identity, mirror: true }, shape, 'mirror was nothing, is true'],
    [identity, { patches: 5, hiddenSize: 4 }, 'patches was 2, is 5; hiddenSize was 3, is 4'],
  ] as const) {
    await assert.rejects(openFeatureCache(folder, other, otherShape), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(
        error.message,
        `${folder}: features of another run: ${differences}. Delete the folder, or choose another output`,
      )
      return true
    })
  }
  assert.deepEqual(
    ['features.index', 'features.f16'].map((name) => readFileSync(join(folder, name))),
    before,
  )
})

test('misuse and files that cannot be made', async () => {
  const cache = await cacheIn('misuse')
  await assert.rejects(cache.read(['a']), /features\.f16: no features of a$/)
  await assert.rejects(cache.write(['a'], new Float32Array(5)), RangeError)
  await cache.close()
  await assert.rejects(
    openFeatureCache(join(root, 'misuse', 'features.f16'), identity, shape),
    (error) => error instanceof CheckpointError && /features\.f16/.test(error.message),
  )
})
