/** Expected values and errors are those of `pixelValues`, which preprocess.test.ts and reference.test.ts hold to the reference. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { DataError, SessionError } from '../../src/errors.ts'
import { createPreprocessor, type Preprocessor } from '../../src/images/node-preprocess.ts'
import { pixelValues } from '../../src/images/preprocess.ts'
import type { RgbImage } from '../../src/images/rgb-image.ts'
import { pixels } from './fixtures.ts'

function preprocessor(t: TestContext): Preprocessor {
  const created = createPreprocessor()
  t.after(() => created.dispose())
  return created
}

const picture = (width: number, height: number, seed = 7): RgbImage => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).map((_, i) => i * seed),
})

/** The thread that the next call starts. */
const nextThread = async () => ((await once(process, 'worker')) as [Worker])[0]

test('the values of pixelValues, for a batch of any sizes and for none', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const images = [await pixels('photo-like.png'), picture(640, 480), picture(1, 9), await pixels('rgba.png')]
  assert.deepEqual(await apart(images, 224), pixelValues(images, 224))
  assert.deepEqual(await apart(images.slice(1), 30), pixelValues(images.slice(1), 30))
  assert.deepEqual(await apart([], 224), new Float32Array(0))
})

test('calls at once: each gets its own', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const batches = [1, 2, 3].map((seed) => [picture(50, 40, seed), picture(40, 50, seed)])
  const expected = batches.map((images) => pixelValues(images, 16 + images.length))
  assert.deepEqual(await Promise.all(batches.map((images) => apart(images, 16 + images.length))), expected)
})

test('the pictures stay usable, views of a pool too', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const pool = Buffer.alloc(1000, 9)
  const { data } = picture(5, 6)
  pool.set(data, 33)
  const before = Uint8Array.from(pool)
  for (const view of [
    pool.subarray(33, 33 + data.length),
    new Uint8Array(pool.buffer, pool.byteOffset + 33, data.length),
  ]) {
    const image = { width: 5, height: 6, data: view }
    assert.deepEqual(await apart([image, image], 4), pixelValues([image, image], 4))
    assert.deepEqual(Uint8Array.from(image.data), data)
  }
  assert.deepEqual(Uint8Array.from(pool), before)
})

/** The longest time, in milliseconds, that a 5 ms timer had to wait while `work` went on. */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
  let last = performance.now()
  let longest = 0
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 5)
  await work()
  clearInterval(timer)
  return longest
}

test('the event loop goes on during the resize of 24 megapixels', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const photo = picture(6000, 4000)
  const expected = pixelValues([photo], 224)
  const pauses: number[] = []
  // The best of three: other programs on the machine make pauses too.
  for (let i = 0; i < 3; i++)
    pauses.push(await longestPause(async () => assert.deepEqual(await apart([photo], 224), expected)))
  const started = performance.now()
  pixelValues([photo], 224)
  const blocking = performance.now() - started
  assert.ok(Math.min(...pauses) < blocking / 3, `pauses of ${pauses} ms, where the resize takes ${blocking} ms`)
})

const wrong: readonly (readonly [string, RgbImage, number])[] = [
  ['alpha left', { width: 2, height: 2, data: new Uint8Array(16) }, 4],
  ['no pixels', { width: 0, height: 2, data: new Uint8Array(0) }, 4],
  ['no size', picture(2, 2), 0],
  ['half a pixel', picture(2, 2), 1.5],
  ['more than memory', picture(2, 2), 2 ** 27],
]
for (const [name, image, size] of wrong) {
  test(`errors come back in their class: ${name}`, async (t) => {
    const { pixelValues: apart } = preprocessor(t)
    let expected: unknown
    assert.throws(
      () => pixelValues([image], size),
      (error) => {
        expected = error
        return true
      },
    )
    await assert.rejects(apart([image], size), (error) => {
      assert.ok(error instanceof Error && expected instanceof Error)
      assert.equal(error.constructor, expected.constructor)
      assert.equal(error.message, expected.message)
      return true
    })
    assert.equal(expected instanceof DataError, name !== 'more than memory')
    assert.equal((await apart([picture(2, 2)], 2)).length, 12)
  })
}

test('an abort rejects with its reason: before, in the middle, and in a batch', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const reason = new Error('enough')
  await assert.rejects(apart([picture(2, 2)], 2, { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const { signal } = controller
  const image = picture(1000, 1000)
  const thread = nextThread()
  const aborted = apart([image, image, image], 2000, { signal })
  let answered = false
  const other = apart([image], 24).finally(() => {
    answered = true
  })
  await thread
  controller.abort(reason)
  await assert.rejects(aborted, reason)
  assert.equal(answered, false, 'the picture at work is not waited for')
  assert.deepEqual(await other, pixelValues([image], 24))
  const quiet = new AbortController()
  await apart([picture(2, 2)], 2, { signal: quiet.signal })
  quiet.abort(reason) // an answered call does not mind
  assert.equal((await apart([picture(2, 2)], 2)).length, 12)
})

test('an abort while a large picture is copied: the thread does not even start', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const started = t.mock.fn()
  process.once('worker', started)
  t.after(() => process.off('worker', started))
  const controller = new AbortController()
  const call = apart([picture(4000, 3000)], 24, { signal: controller.signal })
  setImmediate(() => controller.abort())
  await assert.rejects(call, { name: 'AbortError' })
  assert.equal(started.mock.callCount(), 0)
})

test('a thread that dies rejects what is pending; the next call starts another', async (t) => {
  const { pixelValues: apart } = preprocessor(t)
  const image = picture(1000, 1000)
  const thread = nextThread()
  const calls = [apart([image, image], 2000), apart([image], 2000)]
  void (await thread).terminate()
  for (const call of calls)
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof SessionError)
      assert.match(error.message, /^the thread that prepares images ended \(exit code \d\); try again/)
      return true
    })
  const another = nextThread()
  assert.equal((await apart([picture(2, 2)], 2)).length, 12)
  await (await another).terminate() // while nothing is pending
  assert.equal((await apart([picture(2, 2)], 2)).length, 12)
})

test('dispose ends the thread and rejects what is pending; twice is fine, also without a thread', async () => {
  const created = createPreprocessor()
  const thread = nextThread()
  const call = created.pixelValues([picture(1000, 1000), picture(2, 2)], 2000)
  const disposed = /the preprocessor was disposed of; create another one$/
  const rejected = assert.rejects(call, (error) => error instanceof SessionError && disposed.test(error.message))
  const ended = once(await thread, 'exit')
  await Promise.all([created.dispose(), created.dispose()])
  await Promise.all([rejected, ended])
  await created.dispose()
  await assert.rejects(created.pixelValues([picture(2, 2)], 2), disposed)
  await createPreprocessor().dispose()
})

/** Runs a program in another process, which must end by itself within 20 seconds. */
function output(program: string): string {
  const url = new URL(`../../src/images/node-preprocess${extname(import.meta.url)}`, import.meta.url)
  const source = `import { createPreprocessor } from ${JSON.stringify(url)}
    const image = { width: 2000, height: 2000, data: new Uint8Array(12e6) }
    const { pixelValues } = createPreprocessor()
    ${program}`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.equal(status, 0, stderr)
  return stdout
}

test('the process waits for an answer, and not for an idle thread', () => {
  assert.equal(output('console.log((await pixelValues([image], 10)).length)'), '300\n')
  assert.equal(output('void pixelValues([image], 10).then(({ length }) => console.log(length))'), '300\n')
  assert.equal(
    output('pixelValues([image, image], 10, { signal: AbortSignal.timeout(1) }).catch((e) => console.log(e.name))'),
    'TimeoutError\n',
  )
  assert.equal(output("console.log('none')"), 'none\n')
})
