import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync, truncateSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openCheckpoint, readTensor, writeSafetensors } from '../../src/checkpoints/node.ts'
import { writeFully } from '../../src/checkpoints/node-write.ts'
import { CheckpointError } from '../../src/errors.ts'
import { referenceDir } from '../support/paths.ts'
import { put, safetensorsBytes, temporaryFolder } from './files.ts'

async function refused(path: string, message: RegExp): Promise<void> {
  await assert.rejects(openCheckpoint(path), (error) => {
    assert.ok(error instanceof CheckpointError, String(error))
    assert.match(error.message, message)
    return true
  })
}

/** The values of an F32 tensor by a second, plain reader: JSON.parse and a Buffer. */
function plainValues(file: string, name: string): number[] {
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const [begin, end] = JSON.parse(bytes.toString('utf8', 8, start))[name].data_offsets as [number, number]
  return Array.from({ length: (end - begin) / 4 }, (_, i) => bytes.readFloatLE(start + begin + 4 * i))
}

for (const model of ['hf-blip2-opt', 'hf-blip2-t5']) {
  const folder = join(referenceDir, model)

  test(`${model}: names, shapes and values are those of a second reader`, async () => {
    const file = join(folder, 'model.safetensors')
    const checkpoint = await openCheckpoint(folder)
    const bytes = readFileSync(file)
    const { __metadata__, ...entries } = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0))))
    assert.deepEqual(checkpoint.files, [{ path: realpathSync(file), size: statSync(file).size }])
    assert.deepEqual(checkpoint.metadata, __metadata__ ?? {})
    assert.deepEqual([...checkpoint.tensors.keys()].sort(), Object.keys(entries).sort())
    for (const tensor of checkpoint.tensors.values()) {
      assert.deepEqual(tensor.shape, entries[tensor.name].shape)
      assert.deepEqual(Array.from((await readTensor(tensor)) as Float32Array), plainValues(file, tensor.name))
    }
  })

  test(`${model}: F16 and BF16 files hold the F32 values, rounded to 11 and 8 bits`, async () => {
    const exact = await openCheckpoint(join(folder, 'model.safetensors'))
    for (const { name, dtype, bits } of [
      { name: 'model.fp16.safetensors', dtype: 'F16', bits: 11 },
      { name: 'model.bf16.safetensors', dtype: 'BF16', bits: 8 },
    ]) {
      const rounded = await openCheckpoint(join(folder, name))
      assert.deepEqual([...rounded.tensors.keys()].sort(), [...exact.tensors.keys()].sort())
      for (const tensor of rounded.tensors.values()) {
        assert.equal(tensor.dtype, dtype)
        const expected = (await readTensor(exact.tensors.get(tensor.name)!)) as Float32Array
        const found = (await readTensor(tensor)) as Float32Array
        assert.ok(found instanceof Float32Array)
        for (const [i, value] of expected.entries()) {
          // Half a unit in the last place; float16 has 2^-24 as its smallest step.
          const tolerance = Math.max(Math.abs(value) * 2 ** -bits, 2 ** -25)
          assert.ok(Math.abs(found[i]! - value) <= tolerance, `${tensor.name}[${i}]: ${value} became ${found[i]}`)
        }
      }
    }
  })

  test(`${model}: the shards hold what the single file holds, opened by folder and by index`, async () => {
    const single = await openCheckpoint(folder)
    const sharded = await openCheckpoint(join(folder, 'sharded'))
    const byIndex = await openCheckpoint(join(folder, 'sharded', 'model.safetensors.index.json'))
    assert.deepEqual(byIndex, sharded)
    assert.equal(sharded.files.length, 2)
    // The README of the reference: the tied lm_head of OPT is left out of the shards.
    const missing = [...single.tensors.keys()].filter((name) => !sharded.tensors.has(name))
    assert.deepEqual(missing, model === 'hf-blip2-opt' ? ['language_model.lm_head.weight'] : missing)
    for (const tensor of sharded.tensors.values())
      assert.deepEqual(await readTensor(tensor), await readTensor(single.tensors.get(tensor.name)!))
  })
}

const byte = (name: string) => ({ [name]: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } })

/** A folder with shards `one` (tensor a) and `two` (tensor b) and the index that is given. */
function shards(t: TestContext, weightMap: unknown): string {
  const folder = temporaryFolder(t)
  put(folder, 'one.safetensors', safetensorsBytes(byte('a'), 1))
  put(folder, 'two.safetensors', safetensorsBytes(byte('b'), 1))
  put(folder, 'model.safetensors.index.json', JSON.stringify({ metadata: { total_size: 2 }, weight_map: weightMap }))
  return folder
}

test('the cache of huggingface_hub: symbolic links to ../../blobs are followed', async (t) => {
  const folder = temporaryFolder(t)
  const snapshot = join(folder, 'snapshots', '0123')
  mkdirSync(snapshot, { recursive: true })
  mkdirSync(join(folder, 'blobs'))
  const index = JSON.stringify({ weight_map: { a: 'model-00001-of-00001.safetensors' } })
  const blob = put(join(folder, 'blobs'), 'abc', safetensorsBytes(byte('a'), 1))
  put(join(folder, 'blobs'), 'def', index)
  symlinkSync(join('..', '..', 'blobs', 'abc'), join(snapshot, 'model-00001-of-00001.safetensors'))
  symlinkSync(join('..', '..', 'blobs', 'def'), join(snapshot, 'model.safetensors.index.json'))
  const { tensors } = await openCheckpoint(snapshot)
  assert.equal(tensors.get('a')?.file, realpathSync(blob))
  assert.deepEqual(await readTensor(tensors.get('a')!), Uint8Array.of(0))
})

const leaving = [
  '../one.safetensors',
  'x/../../one.safetensors',
  '/one.safetensors',
  '..\\one.safetensors',
  'C:\\one.safetensors',
  'one\0.safetensors',
]
for (const file of leaving) {
  test(`a shard that leaves the folder: ${JSON.stringify(file)}`, async (t) => {
    await refused(shards(t, { a: file, b: 'two.safetensors' }), /weight_map: "a": ".*" leaves the folder of the index/)
  })
}

test('indexes that do not fit their shards', async (t) => {
  const one = 'one.safetensors'
  const two = 'two.safetensors'
  assert.deepEqual([...(await openCheckpoint(shards(t, { a: one, b: two }))).tensors.keys()], ['a', 'b'])
  await refused(
    shards(t, { a: one, b: two, c: two }),
    /index\.json: "c": expected in two\.safetensors, no shard has it; are all files of one revision/,
  )
  await refused(shards(t, { a: two, b: one }), /"a": expected in two\.safetensors, it is in one\.safetensors/)
  await refused(shards(t, { c: one }), /"a" is in one\.safetensors and not in the index/)
  await refused(shards(t, { a: one, b: 'three.safetensors' }), /index\.json: shard three\.safetensors: no such file/)
  await refused(
    shards(t, { a: one, b: 'model.onnx' }),
    /expected the name of a \.safetensors or \.bin file, found "model\.onnx"/,
  )
  await refused(shards(t, {}), /weight_map is empty/)
  await refused(shards(t, ['a']), /expected an object/)
  await refused(shards(t, { a: 1 }), /expected a string/)
  const folder = shards(t, { a: one, b: two })
  put(folder, two, safetensorsBytes(byte('a'), 1))
  await refused(folder, /"a" is in two shards, one\.safetensors and two\.safetensors/)
  truncateSync(join(folder, two), 20)
  await refused(folder, /shard .*two\.safetensors: header of \d+ bytes in a file of 20 bytes/)
  put(folder, 'model.safetensors.index.json', `{"metadata":${'['.repeat(1e6)}`)
  await refused(folder, /at most 64 levels of nesting/)
  put(folder, 'model.safetensors.index.json', '{"metadata":{}}')
  await refused(folder, /weight_map is missing/)
})

test('paths without a checkpoint', async (t) => {
  const folder = temporaryFolder(t)
  await refused(join(folder, 'none'), /none: no such file or folder/)
  await refused(
    folder,
    /expected model\.safetensors or .* or pytorch_model\.bin\.index\.json, found no weights; download/,
  )
  put(folder, 'model.onnx', '')
  await refused(folder, /found model\.onnx; download the \.safetensors files/)
  put(folder, 'pickle.pth', Buffer.from('\x80\x04}q\0(X\x01\0\0\0au.', 'latin1'))
  await refused(folder, /found model\.onnx, pickle\.pth; name the file itself/)
  await refused(join(folder, 'pickle.pth'), /found a Python pickle that is not of torch\.save/)
  put(folder, 'model.fp16.safetensors', '')
  await refused(folder, /found model\.fp16\.safetensors, model\.onnx, pickle\.pth; name the file itself/)
  symlinkSync('loop.safetensors', join(folder, 'loop.safetensors'))
  await refused(join(folder, 'loop.safetensors'), /symbolic links that lead in a circle/)
  mkdirSync(join(folder, 'model.safetensors'))
  await refused(folder, /model\.safetensors: expected a file/)
})

test('a device is not read for ever', {
  skip: process.platform === 'win32' && 'Windows has no /dev/zero',
}, async () => {
  await refused('/dev/zero', /\/dev\/zero: expected a file/)
})

test('a huge claim in a small file, and a file that shrinks after opening', async (t) => {
  const folder = temporaryFolder(t)
  const huge = { a: { dtype: 'F32', shape: [2 ** 40], data_offsets: [0, 2 ** 42] } }
  await refused(
    put(folder, 'huge.safetensors', safetensorsBytes(huge, 4)),
    /"a": its data ends at byte 43980465\d+, the file/,
  )
  const path = put(
    folder,
    'small.safetensors',
    safetensorsBytes({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, 8),
  )
  const { tensors } = await openCheckpoint(path)
  truncateSync(path, statSync(path).size - 3)
  await assert.rejects(readTensor(tensors.get('a')!), /a: expected 8 bytes at \d+, found 5; the file has changed/)
})

test('every type comes back as it was written', async (t) => {
  const path = join(temporaryFolder(t), 'all.safetensors')
  const data = {
    BOOL: Uint8Array.of(1, 0),
    U8: Uint8Array.of(0, 255),
    I8: Int8Array.of(-128, 127),
    I16: Int16Array.of(-32768, 5),
    U16: Uint16Array.of(0, 65535),
    I32: Int32Array.of(-(2 ** 31), 7),
    U32: Uint32Array.of(1, 2 ** 32 - 1),
    I64: BigInt64Array.of(-(2n ** 63n), 1n),
    U64: BigUint64Array.of(0n, 2n ** 64n - 1n),
    F32: Float32Array.of(-0, 1.5),
    F64: Float64Array.of(Math.PI, Number.NaN),
  } as const
  const written = Object.entries(data).map(([dtype, values]) => ({
    name: `t.${dtype}`,
    dtype: dtype as keyof typeof data,
    shape: [1, 2],
    data: values,
  }))
  const half = { name: 'half', dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0xc000) } as const
  await writeSafetensors(path, [half, ...written], { format: 'pt' })
  const { tensors, metadata } = await openCheckpoint(path)
  assert.deepEqual(metadata, { format: 'pt' })
  for (const { name, data } of written) assert.deepEqual(await readTensor(tensors.get(name)!), data)
  assert.deepEqual(await readTensor(tensors.get('half')!), Float32Array.of(1, -2))
  for (const { name, offset, length } of tensors.values())
    assert.equal(offset % (length / 2), 0, `${name} starts at a multiple of its element size`)
  const eighth = { name: 'e', dtype: 'F8_E4M3', shape: [1], data: Uint8Array.of(1) } as const
  await writeSafetensors(path, [eighth])
  await assert.rejects(
    readTensor((await openCheckpoint(path)).tensors.get('e')!),
    /e: values of type F8_E4M3 cannot be read/,
  )
})

test('writing in pieces, each asked for when it is due', async (t) => {
  const path = join(temporaryFolder(t), 'pieces.safetensors')
  const asked: string[] = []
  async function* pieces(name: string) {
    for (let i = 0; i < 3; i++) {
      asked.push(name)
      yield Uint8Array.of(i, i)
    }
  }
  const tensor = (name: string) => ({ name, dtype: 'U8', shape: [6], data: pieces(name) }) as const
  await writeSafetensors(path, [tensor('a'), tensor('b')])
  assert.deepEqual(asked, ['a', 'a', 'a', 'b', 'b', 'b'])
  const { tensors } = await openCheckpoint(path)
  assert.deepEqual(await readTensor(tensors.get('b')!), Uint8Array.of(0, 0, 1, 1, 2, 2))
})

test('a system that writes less than it is given is asked again, at the next place', async () => {
  const written: number[] = []
  const handle = {
    write: (bytes: Uint8Array, offset: number, length: number, position: number | null) => {
      for (let i = 0; i < Math.min(length, 3); i++) written[position! + i] = bytes[offset + i]!
      return Promise.resolve({ bytesWritten: Math.min(length, 3), buffer: bytes })
    },
  }
  await writeFully(handle as Pick<FileHandle, 'write'>, Uint8Array.of(1, 2, 3, 4, 5, 6, 7), 2)
  assert.deepEqual(written.slice(2), [1, 2, 3, 4, 5, 6, 7])
})

test('a failed write leaves what was there, and nothing else', async (t) => {
  const folder = temporaryFolder(t)
  const path = put(folder, 'm.safetensors', 'before')
  const tensor = (data: Iterable<Uint8Array>) => ({ name: 'a', dtype: 'F32', shape: [1], data }) as const
  await assert.rejects(writeSafetensors(path, [tensor([new Uint8Array(3)])]), /a: F32 \(1\) needs 4 bytes, found 3/)
  await assert.rejects(
    writeSafetensors(path, [tensor([new Uint8Array(3), new Uint8Array(9)])]),
    /needs 4 bytes, found at least 12/,
  )
  const failing = (function* () {
    yield new Uint8Array(2)
    throw new RangeError('from the source')
  })()
  await assert.rejects(writeSafetensors(path, [tensor(failing)]), RangeError)
  await assert.rejects(writeSafetensors(join(folder, 'none', 'm.safetensors'), []), /no such file or folder/)
  assert.deepEqual(readdirSync(folder), ['m.safetensors'])
  assert.equal(readFileSync(path, 'utf8'), 'before')
})
