import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionError } from '../../src/errors.ts'
import { Channel } from '../../src/runtime/node-channel.ts'
import type { FragileFunctions } from './fragile-worker.ts'

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const open = () => new Channel<FragileFunctions>(new URL(`./fragile-worker.${extension}`, import.meta.url), {})

function fails(work: Promise<unknown>, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof SessionError, `expected a SessionError, found ${error}`)
    assert.match(error.message, message)
    return true
  })
}

test('calls are answered in their order', async () => {
  const channel = open()
  const order: number[] = []
  const note = (value: number) => order.push(value)
  await Promise.all([channel.call('a', 'wait', [30]).then(note), channel.call('b', 'echo', [1]).then(note)])
  assert.deepEqual(order, [30, 1])
  await channel.close('done')
})

test('an exception in the worker rejects its call alone, and says where', async () => {
  const channel = open()
  const [failed, answered] = await Promise.allSettled([
    channel.call('loading x', 'fail', ['no']),
    channel.call('b', 'echo', [2]),
  ])
  assert.ok(failed.status === 'rejected' && failed.reason instanceof SessionError)
  assert.equal(failed.reason.message, 'loading x: no')
  assert.deepEqual(answered, { status: 'fulfilled', value: 2 })
  await fails(channel.call('c', 'unsendable', []), /c: .* could not be cloned/)
  await channel.close('done')
})

const sharedNumber = () => new Int32Array(new SharedArrayBuffer(4))

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** How a thread can end in the middle of a call → what the error says. */
const ends: Record<string, { end(channel: Channel<FragileFunctions>): Promise<unknown>; says: RegExp }> = {
  'is killed': {
    end(channel) {
      const progress = sharedNumber()
      const call = channel.call('run', 'show', [progress, 1e6])
      until(() => progress[0] === 1).then(() => channel.worker.terminate())
      return call
    },
    says: /run: the worker thread ended \(exit code 1\)/,
  },
  exits: { end: (channel) => channel.call('run', 'exit', [3]), says: /run: the worker thread ended \(exit code 3\)/ },
  'throws where nobody catches': {
    end: (channel) => channel.call('run', 'failLater', []),
    says: /run: nobody caught this/,
  },
}

for (const [how, { end, says }] of Object.entries(ends)) {
  test(`when the worker ${how}, the call, those behind it and later ones reject`, async () => {
    const channel = open()
    await Promise.all([fails(end(channel), says), fails(channel.call('run', 'echo', [1]), says)])
    await fails(channel.call('run', 'echo', [1]), says)
    await channel.close('done')
    await fails(channel.call('run', 'echo', [1]), says)
  })
}

test('close rejects what is pending at once, lets the running call finish and drops those behind it', async () => {
  const channel = open()
  const [first, second] = [sharedNumber(), sharedNumber()]
  const calls = [
    fails(channel.call('a', 'show', [first, 300]), /a: bye/),
    fails(channel.call('b', 'show', [second, 1e6]), /b: bye/),
  ]
  await until(() => first[0] === 1)
  const closed = channel.close('bye')
  await Promise.all(calls)
  assert.equal(first[0], 1, 'rejected before the running call ended')
  await closed
  assert.deepEqual([first[0], second[0]], [2, 0], 'closed after the running call ended, without the other')
  await fails(channel.call('c', 'echo', [1]), /c: bye/)
  await channel.close('again')
})

test('a worker that cannot be started is an error', async () => {
  const channel = new Channel<FragileFunctions>(new URL('./no-such-worker.js', import.meta.url), {})
  await fails(channel.call('device', 'echo', [1]), /device: .*no-such-worker/)
})
