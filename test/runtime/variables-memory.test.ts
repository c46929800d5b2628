/** What variables of 64 MB take, in a process of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CpuDevice } from '../../src/runtime/node-device.ts'
import { sumModel } from './models.ts'
import { anonymousBytes, needsProc } from './processes.ts'

const megabyte = 2 ** 20
const size = 4096

test('variables take four tensors, and a run leaves no second gradient behind', { skip: needsProc }, async () => {
  const device = await CpuDevice.open({ threads: 2 })
  const session = await device.createSession(sumModel([size, size]))
  const x = { dtype: 'float32', shape: [1, size], data: new Float32Array(size).fill(1) } as const
  const before = anonymousBytes()
  const variables = await device.createVariables({ w: { shape: [size, size] } })
  const empty = anonymousBytes() - before
  assert.ok(empty < 8 * megabyte, `variables that nobody has written to take ${empty} bytes`)
  const grown: number[] = []
  for (let step = 0; step < 3; step++) {
    await session.run({ x }, { variables })
    await variables.update({ learningRate: 1, betas: [0.9, 0.98] })
    await session.run({ x }, { variables })
    grown.push(anonymousBytes() - before)
  }
  for (const bytes of grown) {
    assert.ok(Math.abs(bytes - 256 * megabyte) < 24 * megabyte, `memory grew by ${grown.join(', ')} bytes`)
  }
  await device.dispose()
})
