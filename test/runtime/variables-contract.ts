/** What every device promises of variables; expected numbers are computed by hand for the line of `models.ts`. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { AdamWOptions } from '../../src/optim/adamw.ts'
import type { Device, Session, Tensor, Variables } from '../../src/runtime/device.ts'
import { normal } from '../support/tensors.ts'
import { fails } from './contract.ts'
import { floats, layersModel, lineModels, logModel } from './models.ts'

/** Predictions -1.25 and -2.25, errors -2.25 and -4.25. */
const batch = { x: floats([2, 2], [1, 2, 3, 4]), y: floats([2, 1], [1, 2]) }
const loss = 11.5625
const [dw, db] = [[-15, -21.5], [-6.5]]
const set = { w: { shape: [1, 2], weightDecay: 0.5 }, b: { shape: [1], rateFactor: 0.1 } }
const adamw: AdamWOptions = { learningRate: 0.1, betas: [0.9, 0.999] }

function near(found: Tensor | Float32Array | undefined, expected: readonly number[]): void {
  const values = Array.from(found && 'data' in found ? found.data : (found ?? []), Number)
  assert.equal(values.length, expected.length)
  for (const [i, value] of values.entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${values} ≠ ${expected}`)
}

const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')

export function variablesContract(name: string, open: () => Promise<Device>): void {
  describe(`variables of device ${name}`, () => {
    const models = lineModels()
    let device: Device
    let training: Session
    let half: Session
    let prediction: Session
    before(async () => {
      device = await open()
      training = await device.createSession(models.training, { name: 'line' })
      half = await device.createSession(models.half, { name: 'half' })
      prediction = await device.createSession(models.prediction, { name: 'prediction' })
    })
    after(() => device.dispose())

    /** w = (0.5, -1), b = 0.25. */
    async function line(step = 0): Promise<Variables> {
      const variables = await device.createVariables(set, step)
      await variables.write('w', Float32Array.of(0.5, -1))
      await variables.write('b', Float32Array.of(0.25))
      return variables
    }

    test('begin as zeros and hold what is written, bit for bit', async () => {
      const variables = await device.createVariables({ odd: { shape: [3] }, none: { shape: [] } }, 7)
      assert.equal(variables.step, 7)
      assert.deepEqual(variables.shapes, { odd: [3], none: [] })
      assert.deepEqual(await variables.read('odd', 'exp_avg'), new Float32Array(3))
      const numbers = Float32Array.of(9, -0, 1e-45, 3.4e38, 9)
      const middle = numbers.subarray(1, 4)
      for (const part of ['value', 'exp_avg', 'exp_avg_sq', 'gradient'] as const) {
        const writing = variables.write('odd', middle, part)
        assert.equal(numbers.length, 5) // copied, not moved
        await writing
        assert.equal(bits(await variables.read('odd', part)), bits(middle))
      }
      await variables.write('none', Float32Array.of(0.07))
      assert.deepEqual(await variables.read('none'), Float32Array.of(0.07))
      await variables.dispose()
    })

    test('feed the inputs of their names; what is read is a copy', async () => {
      const variables = await line()
      near((await prediction.run({ x: batch.x }, { variables })).prediction, [-1.25, -2.25])
      ;(await variables.read('w')).fill(77)
      near((await prediction.run({ x: batch.x }, { variables })).prediction, [-1.25, -2.25])
      await variables.write('b', Float32Array.of(1.25))
      near((await prediction.run({ x: batch.x }, { variables })).prediction, [-0.25, -1.25])
      await variables.dispose()
    })

    test('take the gradients, which do not cross to the caller', async () => {
      const variables = await line()
      const results = await training.run(batch, { variables })
      assert.deepEqual(Object.keys(results), ['loss'])
      near(results.loss, [loss])
      near(await variables.read('w', 'gradient'), dw)
      near(await variables.read('b', 'gradient'), db)
      await variables.dispose()
    })

    test('add up the gradients of several runs and sessions until the update', async () => {
      const variables = await line()
      await training.run(batch, { variables })
      await half.run(batch, { variables })
      await training.run(batch, { variables, outputs: ['loss'] })
      near(await variables.read('w', 'gradient'), [-45, -64.5])
      near(await variables.read('b', 'gradient'), [-13])
      await variables.update({ ...adamw, gradientScale: 1 / 3 })
      near(await variables.read('w', 'exp_avg'), [-1.5, -2.15])
      await fails(variables.read('w', 'gradient'), /variable w: gradient: no run since the last update/)
      await training.run({ ...batch, y: floats([2, 1], [1, 3]) }, { variables })
      const again = await variables.read('w', 'gradient')
      assert.ok(again[0]! > -45, 'the gradients from before the update are gone')
      await variables.dispose()
    })

    test('change by AdamW, each by its own decay and rate', async () => {
      const variables = await line()
      await training.run(batch, { variables })
      const result = await variables.update(adamw)
      assert.ok(Math.abs(result.gradientNorm - Math.hypot(...dw, ...db)) < 1e-4)
      assert.equal(variables.step, 1)
      // The first step goes by the sign of the gradient: w - 0.1·(0.5·w - 1), b + 0.1·0.1.
      near(await variables.read('w'), [0.575, -0.85])
      near(await variables.read('b'), [0.26])
      near(
        await variables.read('w', 'exp_avg'),
        dw.map((g) => 0.1 * g),
      )
      near(
        await variables.read('w', 'exp_avg_sq'),
        dw.map((g) => 0.001 * g * g),
      )
      await variables.dispose()
    })

    test('do not change when a gradient is not finite, which is named', async () => {
      const divided = await device.createSession(models.divided)
      const variables = await line()
      await divided.run({ x: batch.x, y: floats([2, 1], [1, -1]) }, { variables })
      const result = await variables.update(adamw)
      assert.equal(result.nonFinite, 'w')
      assert.equal(variables.step, 0)
      assert.deepEqual(await variables.read('b'), Float32Array.of(0.25))
      assert.deepEqual(await variables.read('b', 'exp_avg'), new Float32Array(1))
      assert.ok(!Number.isFinite((await variables.read('w', 'gradient'))[0]))
      await Promise.all([variables.dispose(), divided.dispose()])
    })

    test('a training that is saved, restored and continued is the unbroken one, bit for bit', async () => {
      const train = async (variables: Variables, from: number, to: number) => {
        for (let i = from; i < to; i++) {
          await training.run({ ...batch, y: floats([2, 1], [i % 3, -i]) }, { variables })
          if (i % 2) await training.run(batch, { variables })
          await variables.update({ ...adamw, clipNorm: 5 })
        }
      }
      const state = async (variables: Variables) => {
        const parts = (['value', 'exp_avg', 'exp_avg_sq'] as const).flatMap((part) =>
          ['w', 'b'].map(async (name) => [name, part, await variables.read(name, part)] as const),
        )
        return { step: variables.step, tensors: await Promise.all(parts) }
      }
      const text = (saved: Awaited<ReturnType<typeof state>>) =>
        [saved.step, ...saved.tensors.map(([name, part, data]) => `${name} ${part} ${bits(data)}`)].join('\n')

      const unbroken = await line()
      await train(unbroken, 0, 9)
      const broken = await line()
      await train(broken, 0, 4)
      const saved = await state(broken)
      await broken.dispose()
      const continued = await device.createVariables(set, saved.step)
      for (const [name, part, data] of saved.tensors) await continued.write(name, data, part)
      await train(continued, 4, 9)
      assert.equal(text(await state(continued)), text(await state(unbroken)))
      assert.equal(continued.step, 9)
      await Promise.all([unbroken.dispose(), continued.dispose()])
    })

    test('the same training twice, on two devices, gives the same bits', async () => {
      const trained = async () => {
        const own = await open()
        const session = await own.createSession(layersModel())
        const variables = await own.createVariables({ w0: { shape: [256, 256] }, w1: { shape: [256, 256] } })
        for (const [seed, name] of ['w0', 'w1'].entries()) {
          await variables.write(name, normal(seed, [256, 256]).data as Float32Array)
        }
        for (let step = 0; step < 4; step++) {
          await session.run({ x: normal(step, [200 + step, 256]) }, { variables })
          await variables.update(adamw)
        }
        const tensors = [await variables.read('w0'), await variables.read('w1', 'exp_avg_sq')]
        await own.dispose()
        return tensors.map(bits)
      }
      const [first, again] = [await trained(), await trained()]
      assert.ok(again[0] === first[0] && again[1] === first[1])
    })

    test('and a cache serve one run together', async () => {
      const log = await device.createSession(logModel())
      const cache = device.createCache({ log: [2], twice: [2] })
      const variables = await device.createVariables({ row: { shape: [1, 2] } })
      await variables.write('row', Float32Array.of(1, 2))
      await log.run({}, { cache, variables })
      near((await log.run({}, { cache, variables })).total, [2, 4])
      assert.equal(cache.rows.log, 2)
      await Promise.all([cache.dispose(), variables.dispose(), log.dispose()])
    })

    test('a failed run leaves the gradients as they were', async () => {
      const perRow = await device.createSession(models.perRow, { name: 'per row' })
      const variables = await line()
      await fails(perRow.run(batch, { variables }), /session per row: /)
      await fails(variables.read('w', 'gradient'), /no run since the last update/)
      await training.run(batch, { variables })
      await fails(perRow.run(batch, { variables }), /session per row: gradient\.w: expected \(1, 2\), found \(2, 2\)/)
      near(await variables.read('w', 'gradient'), dw)
      await Promise.all([variables.dispose(), perRow.dispose()])
    })

    describe('say what is wrong with', () => {
      test('a run', async () => {
        const variables = await line()
        await fails(
          training.run({ ...batch, w: floats([1, 2], [1, 2]) }, { variables }),
          /no input w to feed; expected [xy], [xy]/,
        )
        const [misshapen, unknown] = await Promise.all([
          device.createSession(models.misshapen, { name: 'misshapen' }),
          device.createSession(models.unknown, { name: 'unknown' }),
        ])
        await fails(
          misshapen.run(batch, { variables }),
          /session misshapen: gradient\.w: expected float32 \(2, 1\), found float32 \(1, 2\)/,
        )
        await fails(unknown.run(batch, { variables }), /gradient\.v: expected float32 \(1, 2\), found no such variable/)
        const wide = await device.createVariables({ w: { shape: [1, 3] }, b: { shape: [1] } })
        await fails(
          training.run(batch, { variables: wide }),
          /session line: w: expected float32 \(1, 2\), found float32 \(1, 3\)/,
        )
        await fails(
          training.run(batch, { variables, outputs: ['gradient.w'] }),
          /no output gradient\.w to return; expected loss/,
        )
        await Promise.all([variables, wide, misshapen, unknown].map((one) => one.dispose()))
      })

      test('reading and writing', async () => {
        const variables = await line()
        await fails(variables.read('v'), /variable v: value: there is no such variable; there are w, b/)
        await fails(
          variables.read('w', 'moment' as never),
          /variable w: moment: expected one of value, gradient, exp_avg, exp_avg_sq/,
        )
        await fails(
          variables.write('w', Float32Array.of(1)),
          /variable w: value: expected 2 elements for float32 \(1, 2\), found 1 of Float32Array/,
        )
        await fails(variables.write('w', new Float64Array(2) as never), /found 2 of Float64Array/)
        await variables.dispose()
      })

      test('an update', async () => {
        const variables = await line()
        await fails(variables.update(adamw), /variables: update: no run since the last update has given w a gradient/)
        await half.run(batch, { variables })
        await fails(variables.update(adamw), /given b a gradient; run a graph with an output gradient\.b/)
        await training.run(batch, { variables })
        await fails(
          variables.update({ ...adamw, learningRate: Number.NaN }),
          /learningRate: expected a number of at least 0/,
        )
        assert.equal(variables.step, 0)
        await variables.dispose()
      })

      test('what they are made of', async () => {
        const make = (options: object) => device.createVariables({ w: { shape: [2], ...options } })
        await fails(make({ shape: [2, 0] }), /variable w: expected positive sizes .* found \(2, 0\)/)
        await fails(make({ shape: [2 ** 20, 2 ** 10] }), /at most 268,435,456 elements, found \(1048576, 1024\)/)
        await fails(make({ weightDecay: -1 }), /variable w: weightDecay: expected a number of at least 0, found -1/)
        await fails(make({ rateFactor: Number.NaN }), /rateFactor: .* found NaN/)
        await fails(device.createVariables({}, 0.5), /step: expected a whole number of updates, found 0\.5/)
      })

      test('variables that are gone or of another device', async () => {
        const variables = await line()
        await Promise.all([variables.dispose(), variables.dispose()])
        await fails(training.run(batch, { variables }), /session line: the variables were disposed/)
        await fails(variables.read('w'), /variable w: value: the variables were disposed/)
        await fails(variables.update(adamw), /disposed/)
        const other = await open()
        const foreign = await other.createVariables(set)
        await fails(training.run(batch, { variables: foreign }), /session line: the variables belong to another device/)
        await other.dispose()
        await fails(foreign.read('w'), /the device was disposed/)
        await foreign.dispose()
      })
    })
  })
}
