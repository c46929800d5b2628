/** What every device promises; the expected numbers are computed by hand from the models beside this file. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SessionError } from '../../src/errors.ts'
import type { Device, Session, Tensor } from '../../src/runtime/device.ts'
import { additionModel, echoModel, floats, logModel, longs, repeatModel, unknownOperatorModel } from './models.ts'

const numbers = (tensor: Tensor | undefined) => Array.from(tensor?.data ?? [], Number)

/** Rejects with a SessionError whose message matches all patterns. */
export async function fails(work: Promise<unknown>, ...patterns: RegExp[]): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof SessionError, `expected a SessionError, found ${error}`)
    for (const pattern of patterns) assert.match(error.message, pattern)
    return true
  })
}

export function deviceContract(name: string, open: () => Promise<Device>): void {
  describe(`device ${name}`, () => {
    let device: Device
    let addition: Session
    let log: Session
    before(async () => {
      device = await open()
      addition = await device.createSession(additionModel(), { name: 'addition' })
      log = await device.createSession(logModel(), { name: 'log' })
    })
    after(() => device.dispose())

    test('names its inputs and outputs', () => {
      assert.deepEqual([...addition.inputNames].sort(), ['a', 'b'])
      assert.deepEqual(addition.outputNames, ['sum', 'a_again'])
    })

    test('computes values, for one row and for many', async () => {
      const one = await addition.run({ a: floats([1, 2], [1, 2]), b: floats([1, 2], [10, 20]) })
      assert.deepEqual(one.sum, floats([1, 2], [11, 22]))
      const three = await addition.run({ a: floats([3, 2], [1, 2, 3, 4, 5, 6]), b: floats([3, 2], [1, 1, 1, 1, 1, 1]) })
      assert.deepEqual(three.sum, floats([3, 2], [2, 3, 4, 5, 6, 7]))
    })

    test('takes and returns empty tensors', async () => {
      const results = await addition.run({ a: floats([0, 2], []), b: floats([0, 2], []) })
      assert.deepEqual(results.sum, floats([0, 2], []))
    })

    test('keeps every element type bit for bit', async () => {
      const echo = await device.createSession(echoModel(['float32', 'int64', 'int32', 'uint8', 'bool'], ['n']))
      const fed: Record<string, Tensor> = {
        float32: { dtype: 'float32', shape: [2], data: Float32Array.of(-0, Number.POSITIVE_INFINITY) },
        int64: { dtype: 'int64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n) },
        int32: { dtype: 'int32', shape: [2], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
        uint8: { dtype: 'uint8', shape: [2], data: Uint8Array.of(0, 255) },
        bool: { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
      }
      const results = await echo.run(fed)
      for (const [type, tensor] of Object.entries(fed)) assert.deepEqual(results[`${type}_out`], tensor)
      await echo.dispose()
    })

    test('takes scalars', async () => {
      const echo = await device.createSession(echoModel(['float32'], []))
      assert.deepEqual((await echo.run({ float32: floats([], [7]) })).float32_out, floats([], [7]))
      await echo.dispose()
    })

    test('returns only the outputs that are asked for', async () => {
      const results = await addition.run({ a: floats([1, 2], [1, 2]), b: floats([1, 2], [3, 4]) }, { outputs: ['sum'] })
      assert.deepEqual(Object.keys(results), ['sum'])
    })

    test("leaves the caller's arrays alone, views of a larger buffer too", async () => {
      const buffer = Float32Array.of(9, 1, 2, 9)
      const a: Tensor = { dtype: 'float32', shape: [1, 2], data: buffer.subarray(1, 3) }
      const running = addition.run({ a, b: a })
      buffer.fill(0) // after run has returned: too late to matter
      assert.deepEqual(numbers((await running).sum), [2, 4])
      assert.equal(buffer.length, 4)
    })

    test('keeps concurrent runs of two sessions apart', async () => {
      const runs = Array.from({ length: 20 }, (_, i) =>
        i % 2
          ? addition.run({ a: floats([1, 2], [i, 0]), b: floats([1, 2], [i, 1]) }, { outputs: ['sum'] })
          : log.run({ row: floats([1, 2], [2 * i, 1]), 'past.log': floats([0, 2], []) }, { outputs: ['total'] }),
      )
      const results = (await Promise.all(runs)).map((result) => numbers(Object.values(result)[0]))
      assert.deepEqual(
        results,
        Array.from({ length: 20 }, (_, i) => [2 * i, 1]),
      )
    })

    describe('caches', () => {
      const entries = { log: [2], twice: [2] }
      const add = async (cache: ReturnType<Device['createCache']>, ...values: number[]) =>
        numbers((await log.run({ row: floats([values.length / 2, 2], values) }, { cache })).total)

      test('start empty and grow by every run; past and present stay inside', async () => {
        const cache = device.createCache(entries)
        assert.deepEqual(cache.rows, { log: 0, twice: 0 })
        const results = await log.run({ row: floats([2, 2], [1, 10, 2, 20]) }, { cache })
        assert.deepEqual(results, { total: floats([1, 2], [3, 30]) })
        assert.deepEqual(cache.rows, { log: 2, twice: 2 })
        for (let i = 3; i <= 40; i++)
          assert.deepEqual(await add(cache, i, 10 * i), [(i * (i + 1)) / 2, 5 * i * (i + 1)])
        assert.equal(cache.rows.log, 40)
        await cache.dispose()
      })

      test('append nothing for no rows', async () => {
        const cache = device.createCache(entries)
        assert.deepEqual(await add(cache), [0, 0])
        assert.equal(cache.rows.log, 0)
        await cache.dispose()
      })

      test('rewind to a number of rows or to what they were', async () => {
        const cache = device.createCache(entries)
        await add(cache, 1, 1, 2, 2, 3, 3)
        const then = cache.rows
        assert.deepEqual(await add(cache, 4, 4), [10, 10])
        await cache.rewind(then)
        assert.deepEqual(await add(cache, 5, 5), [11, 11])
        await cache.rewind(1)
        assert.deepEqual(cache.rows, { log: 1, twice: 1 })
        await cache.rewind({ twice: 0 })
        assert.deepEqual(cache.rows, { log: 1, twice: 0 })
        await cache.rewind(7) // there are fewer: nothing to forget
        assert.deepEqual(await add(cache, 1, 1), [2, 2])
        await cache.rewind(0)
        assert.deepEqual(await add(cache, 8, 8), [8, 8])
        await cache.dispose()
      })

      test('apply runs and rewinds in the order in which they were asked for', async () => {
        const cache = device.createCache(entries)
        const [first, , second] = await Promise.all([add(cache, 1, 1, 2, 2), cache.rewind(1), add(cache, 4, 4)])
        assert.deepEqual(
          [first, second],
          [
            [3, 3],
            [5, 5],
          ],
        )
        assert.equal(cache.rows.log, 2)
        await cache.dispose()
      })

      test('are independent of each other', async () => {
        const [one, two] = [device.createCache(entries), device.createCache(entries)]
        await Promise.all([add(one, 1, 1), add(two, 100, 100)])
        assert.deepEqual(await Promise.all([add(one, 1, 1), add(two, 100, 100)]), [
          [2, 2],
          [200, 200],
        ])
        await Promise.all([one.dispose(), two.dispose()])
      })

      test('must have the entries of the graph, in its shapes', async () => {
        const row = floats([1, 2], [1, 1])
        const short = device.createCache({ log: [2] })
        await fails(log.run({ row }, { cache: short }), /session log: cache entry twice/, /no such entry/)
        const wide = device.createCache({ log: [3], twice: [2] })
        await fails(
          log.run({ row }, { cache: wide }),
          /entry log: expected float32 \(past, 2\), found float32 \(rows, 3\)/,
        )
        assert.throws(() => device.createCache({ log: [-1] }), SessionError)
        const cache = device.createCache(entries)
        await fails(log.run({ row, 'past.log': row }, { cache }), /no input past\.log to feed; expected row/)
        await fails(cache.rewind(-1), /entry log: expected a whole number of rows to keep, found -1/)
        await fails(cache.rewind({ diary: 0 }), /no entry diary; it has log, twice/)
        assert.deepEqual(cache.rows, { log: 0, twice: 0 })
        await Promise.all([short.dispose(), wide.dispose(), cache.dispose()])
      })

      test('are gone after dispose, and belong to one device', async () => {
        const row = floats([1, 2], [1, 1])
        const cache = device.createCache(entries)
        await cache.dispose()
        await cache.dispose()
        await fails(log.run({ row }, { cache }), /session log: the cache was disposed/)
        await fails(cache.rewind(0), /disposed/)
        const other = await open()
        await fails(log.run({ row }, { cache: other.createCache(entries) }), /another device/)
        await other.dispose()
      })
    })

    describe('says what is wrong with', () => {
      const good = floats([1, 2], [1, 2])
      const cases: [string, Record<string, Tensor>, ...RegExp[]][] = [
        ['a missing input', { a: good }, /session addition: input b is missing; expected float32 \(rows, 2\)/],
        ['an unknown input', { a: good, b: good, c: good }, /no input c to feed; expected [ab], [ab]/],
        [
          'a dtype',
          { a: good, b: longs([1, 2], [1, 2]) },
          /input b: expected float32 \(rows, 2\), found int64 \(1, 2\)/,
        ],
        ['a shape', { a: good, b: floats([2], [1, 2]) }, /input b: expected float32 \(rows, 2\), found float32 \(2\)/],
        ['a size', { a: good, b: floats([1, 3], [1, 2, 3]) }, /expected float32 \(rows, 2\), found float32 \(1, 3\)/],
        ['a named size', { a: good, b: floats([2, 2], [1, 2, 3, 4]) }, /rows is \d in input [ab] and \d in [ab]/],
        ['too little data', { a: good, b: floats([1, 2], [1]) }, /shape \(1, 2\) does not hold the 1 elements/],
        [
          'the wrong array',
          { a: good, b: { ...good, data: Int32Array.of(1, 2) } },
          /expected Float32Array, found Int32Array/,
        ],
      ]
      for (const [what, feeds, ...patterns] of cases) test(what, () => fails(addition.run(feeds), ...patterns))

      test('an unknown output', () =>
        fails(
          addition.run({ a: good, b: good }, { outputs: ['summ'] }),
          /no output summ to return; expected sum, a_again/,
        ))
      test('no output', () => fails(addition.run({ a: good, b: good }, { outputs: [] }), /no output is asked for/))
      test('bytes that are no model', async () => {
        for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), new TextEncoder().encode('{"json": true}')]) {
          await fails(
            device.createSession(bytes, { name: 'broken' }),
            /session broken: these bytes are not an ONNX model/,
          )
        }
        await fails(device.createSession(additionModel().subarray(0, 100)), /session model:/)
      })
      test('an unknown operator', () => fails(device.createSession(unknownOperatorModel()), /Nonsense/))

      test('too much memory, and goes on working', async () => {
        const repeat = await device.createSession(repeatModel(), { name: 'repeat' })
        const value = floats([1], [3])
        await fails(repeat.run({ value, count: longs([1], [1e13]) }), /session repeat: out of memory/, /smaller batch/)
        assert.deepEqual((await repeat.run({ value, count: longs([1], [2]) })).big, floats([2], [3, 3]))
        await repeat.dispose()
      })
    })

    test('a failed run leaves the cache as it was', async () => {
      const cache = device.createCache({ log: [2], twice: [2] })
      await log.run({ row: floats([1, 2], [1, 2]) }, { cache })
      await fails(log.run({ row: floats([1, 3], [1, 2, 3]) }, { cache }))
      assert.deepEqual(numbers((await log.run({ row: floats([1, 2], [1, 2]) }, { cache })).total), [2, 4])
      await cache.dispose()
    })

    test('a disposed session is an error, its neighbours go on, and pending runs still finish', async () => {
      const session = await device.createSession(additionModel(), { name: 'short' })
      const feeds = { a: floats([1, 2], [1, 2]), b: floats([1, 2], [1, 2]) }
      const pending = session.run(feeds)
      await Promise.all([session.dispose(), session.dispose()])
      assert.deepEqual(numbers((await pending).sum), [2, 4])
      await fails(session.run(feeds), /session short: it was disposed/)
      assert.deepEqual(numbers((await addition.run(feeds)).sum), [2, 4])
    })

    test('a disposed device rejects what is pending and what comes later', async () => {
      const other = await open()
      const session = await other.createSession(additionModel())
      const cache = other.createCache({ log: [2] })
      const feeds = { a: floats([1, 2], [1, 2]), b: floats([1, 2], [1, 2]) }
      const pending = fails(session.run(feeds), /session model: the device was disposed/)
      await Promise.all([other.dispose(), other.dispose()])
      await pending
      await fails(session.run(feeds), /the device was disposed/)
      await fails(other.createSession(additionModel()), /the device was disposed/)
      await fails(cache.rewind(0), /the device was disposed/)
      await session.dispose()
      await cache.dispose()
      await other.dispose()
    })
  })
}
