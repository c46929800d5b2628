import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { listSource } from '../../src/data/list.ts'
import { mixture, type Weighted } from '../../src/data/mixture.ts'
import { shardSource } from '../../src/data/node-shards.ts'
import type { Source } from '../../src/data/sample.ts'
import { DataError } from '../../src/errors.ts'
import { collect, passKeys, textSamples } from './collect.ts'
import { imageParts, writeShard } from './shards.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-mixture-'))
after(() => rmSync(folder, { recursive: true }))

const a = listSource('a', textSamples('a', 7))
const b = listSource('b', textSamples('b', 3))
const shards = shardSource(
  's',
  await Promise.all([0, 1, 2].map((i) => writeShard(folder, `s${i}.tar`, imageParts(`s${i}`, 4)))),
  { buffer: 3 },
)

async function stream(parts: readonly Weighted[], from: number, count: number, seed = 1) {
  const drawn = await collect(mixture(parts, { seed, from }), count)
  return drawn.map(({ sample, number }) => `${number} ${sample.key}`)
}

for (const [name, parts] of [
  ['a list', [{ source: a, weight: 1 }]],
  ['shards', [{ source: shards, weight: 1 }]],
  [
    'a mixture of both',
    [
      { source: a, weight: 5 },
      { source: b, weight: 0.5 },
      { source: shards, weight: 3 },
    ],
  ],
] as const) {
  test(`${name}: from any number on, across several passes, it is the tail of the stream from 0`, async () => {
    const whole = await stream(parts, 0, 60)
    for (const from of [1, 2, 3, 6, 7, 8, 11, 12, 13, 20, 24, 25, 36, 47, 59])
      assert.deepEqual(await stream(parts, from, 60 - from), whole.slice(from), `from ${from}`)
  })
}

test('one source: its passes, one behind the other', async () => {
  const passes = await Promise.all([0, 1, 2].map((pass) => passKeys(a, pass)))
  assert.deepEqual(
    await stream([{ source: a, weight: 0.3 }], 0, 21),
    passes.flat().map((key, number) => `${number} ${key}`),
  )
})

test('of each source its own stream, as often as its weight says', async () => {
  const parts = [
    { source: a, weight: 6 },
    { source: b, weight: 3 },
    { source: shards, weight: 1 },
  ]
  const drawn = await collect(mixture(parts, { seed: 4, from: 0 }), 10_000)
  for (const [name, source, share] of [
    ['a', a, 0.6],
    ['b', b, 0.3],
    ['s', shards, 0.1],
  ] as const) {
    const its = drawn.map(({ sample }) => sample.key).filter((key) => key.startsWith(name))
    // Within four standard deviations of a binomial distribution.
    const deviation = Math.sqrt(10_000 * share * (1 - share))
    assert.ok(Math.abs(its.length - 10_000 * share) < 4 * deviation, `${name}: ${its.length}`)
    const alone = await collect(mixture([{ source, weight: 1 }], { seed: 4, from: 0 }), its.length)
    assert.deepEqual(
      its,
      alone.map(({ sample }) => sample.key),
    )
  }
})

test('another seed, another stream', async () => {
  const parts = [
    { source: a, weight: 1 },
    { source: b, weight: 1 },
  ]
  assert.notDeepEqual(await stream(parts, 0, 30, 1), await stream(parts, 0, 30, 2))
})

test('another process with the same seed draws the same', async () => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    import { listSource } from ${url('../../src/data/list.js')}
    import { mixture } from ${url('../../src/data/mixture.js')}
    import { collect, textSamples } from ${url('./collect.js')}
    const parts = ['a', 'b'].map((name, i) => ({ source: listSource(name, textSamples(name, 7 - 4 * i)), weight: 2 - i }))
    const drawn = await collect(mixture(parts, { seed: 5, from: 3 }), 40)
    console.log(JSON.stringify(drawn.map(({ sample, number }) => number + ' ' + sample.key)))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.equal(stderr, '')
  const here = [
    { source: a, weight: 2 },
    { source: b, weight: 1 },
  ]
  assert.deepEqual(JSON.parse(stdout), await stream(here, 3, 40, 5))
})

test('a source without samples is named, from the start and from later', async () => {
  const empty = [{ source: listSource('captions.json', []), weight: 1 }]
  for (const from of [0, 5])
    await assert.rejects(stream(empty, from, 1), (error) => {
      assert.ok(error instanceof DataError)
      assert.equal(error.message, 'captions.json: there is no sample in it')
      return true
    })
})

/** A source that tells when a pass is left. */
function watched(source: Source): Source & { left: number } {
  const watching = {
    ...source,
    left: 0,
    async *pass(...args: Parameters<Source['pass']>) {
      try {
        yield* source.pass(...args)
      } finally {
        watching.left++
      }
    },
  }
  return watching
}

test('leaving the stream leaves the passes of all sources', async () => {
  const sources = [watched(a), watched(shards)]
  const parts = sources.map((source) => ({ source, weight: 1 }))
  assert.equal((await stream(parts, 2, 4)).length, 4)
  assert.deepEqual(
    sources.map(({ left }) => left),
    [1, 1],
  )
})

test('what is counted to find a place ends behind it', async () => {
  const asked: (number | undefined)[] = []
  const counted: Source = { ...a, size: (enough) => a.size(asked.push(enough)) }
  await stream([{ source: counted, weight: 1 }], 0, 1)
  assert.deepEqual(asked, [])
  await stream([{ source: counted, weight: 1 }], 4, 1)
  assert.deepEqual(asked, [5])
})

test('an abort ends counting and reading', async () => {
  const reason = new Error('enough')
  for (const from of [0, 5]) {
    const drawing = mixture([{ source: shards, weight: 1 }], { seed: 1, from, signal: AbortSignal.abort(reason) })
    await assert.rejects(drawing.next(), reason)
  }
})
