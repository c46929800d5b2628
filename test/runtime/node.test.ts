/** The CPU device beyond the contract: what is refused, what stays responsive, and how it ends. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ConfigError, SessionError } from '../../src/errors.ts'
import { type DeviceName, openDevice } from '../../src/runtime/node.ts'
import { CpuDevice } from '../../src/runtime/node-device.ts'
import { additionModel, floats, slowFeeds, slowModel } from './models.ts'

const refused = (name: string, message: RegExp) =>
  assert.rejects(openDevice({ device: name as DeviceName }), (error) => {
    assert.ok(error instanceof SessionError)
    assert.match(error.message, message)
    return true
  })

test('auto is the cpu; what is not there is refused with what it needs', async () => {
  const device = await openDevice({ device: 'auto' })
  assert.equal(device.name, 'cpu')
  await device.dispose()
  await refused('cuda', /device cuda: not in this release.*CUDA 12.*ONNXRUNTIME_NODE_INSTALL=cuda12/)
  await refused('webgpu', /device webgpu: not in this release.*Vulkan/)
})

test('an unknown device or a wrong number of threads is a wrong option', async () => {
  await assert.rejects(openDevice({ device: 'tpu' as DeviceName }), (error) => {
    assert.ok(error instanceof ConfigError)
    assert.equal(error.message, 'device: expected one of auto, cpu, webgpu, cuda, found "tpu"')
    return true
  })
  for (const threads of [0, -1, 1.5, Number.NaN]) await assert.rejects(openDevice({ threads }), ConfigError)
})

test('a 10 ms timer keeps ticking during a run of at least half a second', async () => {
  const device = await openDevice({ threads: 2 })
  const session = await device.createSession(slowModel())
  let [milliseconds, ticks] = [0, 0]
  for (let rows = 512; milliseconds < 500; rows *= 2) {
    const running = session.run(slowFeeds(rows))
    const started = performance.now()
    ticks = 0
    const timer = setInterval(() => ticks++, 10)
    await running
    clearInterval(timer)
    milliseconds = performance.now() - started
  }
  await device.dispose()
  assert.ok(ticks >= milliseconds / 10 / 3, `${ticks} ticks in ${milliseconds} ms`) // 3: other work of the machine
})

test('a killed worker is an error for its sessions and caches, not a hang', async () => {
  const device = await CpuDevice.open({ threads: 1 })
  const session = await device.createSession(additionModel(), { name: 'addition' })
  const cache = device.createCache({ log: [2] })
  await cache.rewind(0)
  await device.channel.worker.terminate()
  const ended = { name: 'SessionError', message: /the worker thread ended/ }
  await assert.rejects(session.run({ a: floats([1, 2], [1, 2]), b: floats([1, 2], [1, 2]) }), ended)
  await assert.rejects(device.createSession(additionModel()), ended)
  await assert.rejects(cache.rewind(0), ended)
  await session.dispose()
  await cache.dispose()
  await device.dispose()
})

/** Runs `ending-process.ts` and says how it ended. */
function endingProcess(how: string, ...flags: string[]) {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const script = fileURLToPath(new URL(`./ending-process.${extension}`, import.meta.url))
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, script, how], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, signal, stdout: stdout.trim(), stderr }
}

test('a process ends by itself when nothing is pending, and not before', () => {
  assert.deepEqual(endingProcess('idle'), { status: 0, signal: null, stdout: 'opened', stderr: '' })
  assert.deepEqual(endingProcess('disposed'), { status: 0, signal: null, stdout: 'disposed', stderr: '' })
  assert.deepEqual(endingProcess('pending'), { status: 0, signal: null, stdout: 'finished', stderr: '' })
})

test('process.exit and an uncaught error in the middle of a run keep their exit codes', () => {
  assert.deepEqual(endingProcess('exit'), { status: 3, signal: null, stdout: '', stderr: '' })
  const thrown = endingProcess('throw')
  assert.equal(thrown.status, 1)
  assert.match(thrown.stderr, /Error: thrown on purpose/)
})
