/** Expected pixels are those of `decodeImage` and `pixelValues`, which test/images holds to the reference. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import sharp from 'sharp'
import { listSource } from '../../src/data/list.ts'
import { type Batch, type LoaderOptions, openLoader } from '../../src/data/node-loader.ts'
import { shardSource } from '../../src/data/node-shards.ts'
import type { Sample } from '../../src/data/sample.ts'
import { DataError, SessionError } from '../../src/errors.ts'
import { decodeImage } from '../../src/images/node.ts'
import { pixelValues } from '../../src/images/preprocess.ts'
import { randomView } from '../../src/images/view.ts'
import { randomFor } from '../../src/random.ts'
import { textSamples } from './collect.ts'
import { writeShard } from './shards.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-loader-'))
after(() => rmSync(folder, { recursive: true }))

/** A picture of its own for every number, of no particular shape. */
async function picture(number: number): Promise<string> {
  const [width, height] = [20 + 7 * (number % 5), 30 + 3 * (number % 7)]
  const path = join(folder, `${number}.png`)
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * (number + 3) * 37) >> 2)
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path)
  return path
}

const pictures = await Promise.all(Array.from({ length: 9 }, (_, i) => picture(i)))
const samples: readonly Sample[] = pictures.map((image, i) => ({
  key: `sample ${i}`,
  image,
  imageKey: `image ${i}`,
  texts: [`one of ${i}`, `two of ${i}`, `three of ${i}`],
}))

const view = { scale: [0.5, 1], mirror: true } as const
const options: LoaderOptions = {
  parts: [{ source: listSource('pictures', samples), weight: 1 }],
  seed: 3,
  from: 0,
  batchSize: 4,
  imageSize: 16,
  view,
}
const ofSamples = (list: readonly Sample[]) => [{ source: listSource('list', list), weight: 1 }]

async function batches(count: number, changes: Partial<LoaderOptions> = {}): Promise<Batch[]> {
  const loader = openLoader({ ...options, ...changes })
  try {
    const made: Batch[] = []
    while (made.length < count) made.push(await loader.next())
    return made
  } finally {
    await loader.close()
  }
}

const pixelsOf = ({ pixels, withPixels }: Batch) =>
  withPixels.map((_, i) =>
    pixels.slice((i * pixels.length) / withPixels.length, ((i + 1) * pixels.length) / withPixels.length),
  )

test('batches of whole size across passes, each item with its view and its caption, by seed and number only', async () => {
  const made = await batches(5)
  const items = made.flatMap((batch) => batch.items)
  assert.deepEqual(
    items.map(({ number }) => number),
    Array.from({ length: 20 }, (_, i) => i),
  )
  for (let pass = 0; pass < 2; pass++) {
    const keys = items.slice(9 * pass, 9 * pass + 9).map(({ sample }) => sample.key)
    assert.deepEqual(
      keys.toSorted(),
      samples.map(({ key }) => key),
    )
  }
  assert.deepEqual(
    made.map(({ next, withPixels }) => [next, withPixels]),
    [4, 8, 12, 16, 20].map((next) => [next, [0, 1, 2, 3]]),
  )
  const found = made.flatMap(pixelsOf)
  for (const [i, { sample, text, number }] of items.entries()) {
    const decoded = await decodeImage(sample.image as string)
    const shown = randomView(randomFor(`3:view:${number}`), decoded.width, decoded.height, view)
    assert.deepEqual(found[i], pixelValues([decoded], 16, [shown]))
    assert.equal(text, sample.texts[Math.floor(randomFor(`3:text:${number}`)() * 3)])
  }
})

test('the same batches however many are made ahead, by however many threads, and from any of them on', async () => {
  const made = await batches(4)
  for (const changes of [{ ahead: 0 }, { ahead: 7 }, { threads: 3 }, { ahead: 1, threads: 2 }])
    assert.deepEqual(await batches(4, changes), made, JSON.stringify(changes))
  assert.deepEqual(await batches(2, { from: (made[1] as Batch).next }), made.slice(2))
  const [other] = await batches(1, { seed: 4 })
  assert.notDeepEqual(other, made[0])
})

test('without a view all of a picture is shown', async () => {
  const [batch] = await batches(1, { view: undefined })
  const { items } = batch as Batch
  const decoded = await Promise.all(items.map(({ sample }) => decodeImage(sample.image as string)))
  assert.deepEqual((batch as Batch).pixels, pixelValues(decoded, 16))
})

test('each caption is drawn as often as any other, one given twice twice as often', async () => {
  const parts = ofSamples([{ key: 'a', texts: ['x', 'y', 'y'] }])
  const [batch] = await batches(1, { parts, batchSize: 9000 })
  const count = (text: string) => (batch as Batch).items.filter((item) => item.text === text).length
  // Within four standard deviations of a binomial distribution: 4 √(9000 · 1/3 · 2/3) = 179.
  assert.ok(Math.abs(count('x') - 3000) < 179, `${count('x')}`)
  assert.equal(count('x') + count('y'), 9000)
})

test('fixed views: one for good of each image, whichever sample shows it', async () => {
  const [image, imageKey] = [pictures[0] as string, 'the image']
  const parts = ofSamples(['a', 'b', 'c'].map((key) => ({ key, image, imageKey, texts: [key] })))
  const shown = (await batches(2, { parts, fixedViews: true })).flatMap(pixelsOf)
  for (const pixels of shown) assert.deepEqual(pixels, shown[0])
  const others = (await batches(2, { parts })).flatMap(pixelsOf)
  assert.ok(others.some((pixels) => pixels.some((value, i) => value !== others[0]?.[i])))
  const [elsewhere] = await batches(1, { parts, fixedViews: true, from: 500 })
  assert.deepEqual(pixelsOf(elsewhere as Batch)[0], shown[0])
})

test('images that are not needed are not read', async () => {
  const parts = ofSamples(samples.map((sample, i) => (i % 2 ? { ...sample, image: '/not/there.jpg' } : sample)))
  const made = await batches(3, { parts, needsPixels: ({ key }) => Number(key.at(-1)) % 2 === 0 })
  for (const { items, withPixels, pixels } of made) {
    assert.equal(items.length, 4)
    assert.deepEqual(
      withPixels,
      items.flatMap(({ sample }, i) => (Number(sample.key.at(-1)) % 2 === 0 ? [i] : [])),
    )
    assert.equal(pixels.length, withPixels.length * 3 * 16 * 16)
  }
})

test('texts without images', async () => {
  const [batch] = await batches(1, { parts: ofSamples(textSamples('t', 3)), batchSize: 3 })
  assert.deepEqual((batch as Batch).items.map(({ text }) => text).toSorted(), ['text 0', 'text 1', 'text 2'])
  assert.deepEqual((batch as Batch).pixels, new Float32Array(0))
  assert.deepEqual((batch as Batch).withPixels, [])
})

/** 30 samples, of which those with these numbers cannot be used, in different ways. */
function withBad(...numbers: number[]): Sample[] {
  return Array.from({ length: 30 }, (_, i) => {
    const sample = { key: `sample ${i}`, texts: [`${i}`], image: pictures[i % 9] as string }
    if (!numbers.includes(i)) return sample
    if (i % 3 === 0) return { ...sample, image: join(folder, 'not-there.jpg') }
    if (i % 3 === 1) return { ...sample, image: readFileSync(sample.image).subarray(0, 100) }
    return { key: sample.key, texts: [], error: new DataError(`set.tar: sample ${i}: no caption`) }
  })
}

test('what cannot be read is left out and told, and the batches are whole', async () => {
  const told: [string, string][] = []
  const parts = ofSamples(withBad(3, 4, 5))
  const onBad = ({ key }: Sample, { message }: DataError) => void told.push([key, message])
  const made = await batches(7, { parts, onBad, ahead: 0 })
  const keys = made.flatMap(({ items }) => items.map(({ sample }) => sample.key))
  assert.equal(made.length, 7)
  for (const { items, pixels } of made) assert.equal(items.length * 3 * 16 * 16, pixels.length)
  assert.equal(new Set(keys).size, 27)
  for (const i of [3, 4, 5]) assert.ok(!keys.includes(`sample ${i}`))
  assert.deepEqual(told.slice(0, 3).sort()[2], ['sample 5', 'set.tar: sample 5: no caption'])
  const [missing, damaged] = told.slice(0, 3).sort() as [string, string][]
  assert.match((missing as [string, string])[1], /not-there\.jpg: no such file/)
  assert.match((damaged as [string, string])[1], /^sample 4: image of 100 bytes: the PNG data is damaged/)
  assert.deepEqual(await batches(2, { parts, from: (made[2] as Batch).next }), made.slice(3, 5))
})

test('too many that cannot be read end the run with the first error', async () => {
  const numbers = Array.from({ length: 12 }, (_, i) => 3 * i)
  const told: string[] = []
  const loader = openLoader({
    ...options,
    parts: ofSamples(withBad(...numbers)),
    onBad: (_, { message }) => told.push(message),
  })
  await assert.rejects(
    async () => {
      for (let i = 0; i < 10; i++) await loader.next()
    },
    (error) => {
      assert.ok(error instanceof DataError)
      // Ten, and then one in a hundred of the at most 30 samples that were seen.
      assert.equal(error.message, `11 images cannot be read, the first: ${told[0]}`)
      assert.match(error.message, /not-there\.jpg/)
      return true
    },
  )
  await assert.rejects(loader.next(), /^DataError: 11 images cannot be read/)
  await loader.close()
})

test('few that cannot be read among many do not', async () => {
  const parts = ofSamples(
    Array.from({ length: 200 }, (_, i) => ({
      key: `${i}`,
      texts: ['a'],
      ...(i === 50 && { image: '/not/there.jpg' }),
    })),
  )
  const told: string[] = []
  const made = await batches(40, { parts, batchSize: 100, onBad: ({ key }) => void told.push(key) })
  assert.equal(made.length, 40)
  assert.ok(told.length >= 20, `${told.length}`)
})

test('a damaged shard ends the run with its name', async () => {
  const shard = await writeShard(folder, 'cut.tar', [
    ['0.png', readFileSync(pictures[0] as string)],
    ['0.txt', 'one'],
    ['1.png', readFileSync(pictures[1] as string)],
    ['1.txt', 'two'],
  ])
  const whole = readFileSync(shard.path)
  const parts = [{ source: shardSource('set', [shard], { buffer: 1 }), weight: 1 }]
  assert.equal((await batches(2, { parts }))[1]?.next, 8)
  writeFileSync(shard.path, whole.subarray(0, 1500))
  await assert.rejects(
    batches(2, { parts }),
    (error) => error instanceof DataError && /cut\.tar: cannot be/.test(error.message),
  )
})

/** Threads that were started during the test and have not ended. */
function threads(t: TestContext): Set<Worker> {
  const running = new Set<Worker>()
  const onWorker = (worker: Worker) => {
    running.add(worker)
    worker.once('exit', () => running.delete(worker))
  }
  process.on('worker', onWorker)
  t.after(() => process.off('worker', onWorker))
  return running
}

test('closed at any time: what is asked for is rejected, and no thread and no file is left', async (t) => {
  const running = threads(t)
  const files = pictures.flatMap((path, i) => [
    [`${i}.png`, readFileSync(path)] as const,
    [`${i}.txt`, 'text'] as const,
  ])
  // Long enough not to be read to its end at once.
  const shard = await writeShard(folder, 'closed.tar', [...files, ['filler.bin', new Uint8Array(2e7)], ...files])
  const parts = [...options.parts, { source: shardSource('set', [shard], { buffer: 3 }), weight: 1 }]
  for (const turns of [0, 1, 2, 5, 10, 20, 50, 100]) {
    const loader = openLoader({ ...options, parts, threads: 2, from: turns })
    const asked = loader.next()
    for (let i = 0; i < turns; i++) await new Promise((done) => setImmediate(done))
    const outcome = asked.catch((error: unknown) => error)
    await loader.close()
    const found = await outcome
    assert.ok(found instanceof SessionError || (found as Batch).items.length === 4, String(found))
    await assert.rejects(loader.next(), new SessionError('the loader was closed; open another one'))
    await loader.close()
  }
  const idle = openLoader({ ...options, parts: parts.slice(1), ahead: 0 })
  await idle.next()
  await idle.close()
  assert.equal(running.size, 0)
  if (process.platform !== 'linux') return
  for (let i = 0; openFiles().includes(shard.path) && i < 100; i++) await new Promise((done) => setTimeout(done, 10))
  assert.deepEqual(
    openFiles().filter((path) => path.startsWith(folder)),
    [],
  )
})

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(join('/proc/self/fd', fd))]
    } catch {
      return [] // closed meanwhile
    }
  })
}

test('a loader that nobody waits for does not keep the process alive', () => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    import { listSource } from ${url('../../src/data/list.js')}
    import { openLoader } from ${url('../../src/data/node-loader.js')}
    const source = listSource('list', [{ key: 'a', texts: ['text'], image: ${JSON.stringify(pictures[0])} }])
    const loader = openLoader({ parts: [{ source, weight: 1 }], seed: 1, from: 0, batchSize: 2, imageSize: 8 })
    console.log((await loader.next()).items.length)`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.deepEqual([stdout, stderr, status], ['2\n', '', 0])
})

test('several pictures are decoded at a time, but not a whole batch, while the event loop goes on', async () => {
  const path = join(folder, 'large.jpg')
  await sharp({ create: { width: 1200, height: 900, channels: 3, background: '#846' } })
    .jpeg()
    .toFile(path)
  const parts = ofSamples(Array.from({ length: 24 }, (_, i) => ({ key: `${i}`, texts: ['a'], image: path })))
  let [most, turns, done] = [0, 0, false]
  const watch = () => {
    const { queue, process } = sharp.counters()
    most = Math.max(most, queue + process)
    turns++
    if (!done) setImmediate(watch)
  }
  watch()
  await batches(1, { parts, batchSize: 24, ahead: 0 })
  done = true
  // Eight, and what sharp still counts though it is done.
  assert.ok(most > 1 && most < 16, `${most} at a time`)
  assert.ok(turns > 24, `${turns} turns`)
})
