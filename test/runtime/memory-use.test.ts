/** Where weights lie while a session lives, and what is left when it is gone. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SessionError } from '../../src/errors.ts'
import { CpuDevice } from '../../src/runtime/node-device.ts'
import { floats, linearModel } from './models.ts'
import { anonymousBytes, mappedBytes, needsProc } from './processes.ts'

const megabyte = 2 ** 20
const folder = mkdtempSync(join(realpathSync(tmpdir()), 'blip2-weights-'))
after(() => rmSync(folder, { recursive: true }))

/** w[out][in] = out, so that y of a row of ones is in · out. 64 MB behind a header of 24 bytes, as in a checkpoint. */
const [out, inSize] = [4096, 4096]
const weights = Float32Array.from({ length: out * inSize }, (_, i) => Math.floor(i / inSize))
const file = join(folder, 'model.safetensors')
writeFileSync(file, Buffer.concat([Buffer.alloc(24), new Uint8Array(weights.buffer)]))
const lie = (path: string) =>
  linearModel([out, inSize], { kind: 'file', dtype: 'float32', file: path, offset: 24, length: weights.byteLength })
const ones = floats(
  [1, inSize],
  Array.from({ length: inSize }, () => 1),
)

test('float32 weights are used where they lie in the file', { skip: needsProc }, async () => {
  const device = await CpuDevice.open({ threads: 2 })
  const before = anonymousBytes()
  const { bytes, weightsFolder } = lie(file)
  const session = await device.createSession(bytes, { weightsFolder: weightsFolder as string })
  const { y } = await session.run({ x: ones })
  assert.deepEqual(Array.from(y?.data ?? [], Number).slice(0, 3), [0, 4096, 8192])
  const mapped = mappedBytes(file)
  assert.ok(mapped.size >= 64 * megabyte && mapped.resident >= 60 * megabyte, `mapped: ${JSON.stringify(mapped)}`)
  assert.equal(mapped.anonymous, 0)
  const grown = anonymousBytes() - before
  assert.ok(grown < 16 * megabyte, `anonymous memory grew by ${grown} bytes`)
  await session.dispose()
  assert.equal(mappedBytes(file).size, 0)
  await device.dispose()
})

test('a weight file that is missing, short or outside the folder is an error', async () => {
  const device = await CpuDevice.open({ threads: 1 })
  const rejects = (model: ReturnType<typeof lie>, message: RegExp) =>
    assert.rejects(device.createSession(model.bytes, { weightsFolder: model.weightsFolder as string }), (error) => {
      assert.ok(error instanceof SessionError)
      assert.match(error.message, message)
      return true
    })
  await rejects(lie(join(folder, 'nowhere.safetensors')), /weight file .*nowhere\.safetensors does not exist/)
  const short = join(folder, 'short.safetensors')
  writeFileSync(short, 'short')
  await rejects(lie(short), /w: bytes 24 to 67108888 of a weight file of 5 bytes; is the file complete/)
  // As in the Hugging Face cache, whose snapshots are links to blobs: ONNX Runtime follows no link out of the folder.
  const link = join(folder, 'snapshots', 'model.safetensors')
  mkdirSync(join(folder, 'snapshots'))
  symlinkSync(file, link)
  await rejects(lie(link), /lies outside .*snapshots; pass its real path/)
  await device.dispose()
})

/** 48 MB of weights that the model carries in its own bytes. */
const carried = linearModel([3072, inSize], { kind: 'memory', values: new Float32Array(3072 * inSize).fill(1) }).bytes

async function growth(rounds: number, round: () => Promise<void>): Promise<number> {
  for (let i = 0; i < 3; i++) await round()
  const before = anonymousBytes()
  for (let i = 0; i < rounds; i++) await round()
  return anonymousBytes() - before
}

test('20 devices, loaded and disposed, leave no memory behind', { skip: needsProc }, async () => {
  const grown = await growth(20, async () => {
    const device = await CpuDevice.open({ threads: 2 })
    const session = await device.createSession(carried)
    await session.run({ x: ones })
    await device.dispose()
  })
  assert.ok(grown < 24 * megabyte, `anonymous memory grew by ${grown} bytes`) // a leak would be 960 MB
})

test('20 sessions and caches of one device, too', { skip: needsProc }, async () => {
  const device = await CpuDevice.open({ threads: 2 })
  const grown = await growth(20, async () => {
    const session = await device.createSession(carried)
    await session.run({ x: ones })
    await session.dispose()
  })
  await device.dispose()
  assert.ok(grown < 72 * megabyte, `anonymous memory grew by ${grown} bytes`) // one model may still wait for its collection
})
