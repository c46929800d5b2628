/** Files that no honest torch.save wrote: each is refused by a CheckpointError that says what is wrong, and nothing runs. */
import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openCheckpoint, readTensor } from '../../src/checkpoints/node.ts'
import { CheckpointError } from '../../src/errors.ts'
import { put, temporaryFolder } from './files.ts'
import {
  type Piece,
  pickled,
  stateDict,
  type TensorSpec,
  tensor,
  torchFiles,
  torchLegacy,
  torchZip,
  zip,
  zipParts,
} from './torch-files.ts'

const { call, dict, global, int, list, none, text, tuple } = pickled

async function refused(t: TestContext, bytes: Uint8Array, message: RegExp): Promise<void> {
  await assert.rejects(openCheckpoint(put(temporaryFolder(t), 'f.pth', bytes)), (error) => {
    assert.ok(error instanceof CheckpointError, String(error))
    assert.match(error.message, message)
    return true
  })
}

const opened = async (t: TestContext, bytes: Uint8Array) => openCheckpoint(put(temporaryFolder(t), 'f.pth', bytes))

test('the files that the cases below damage are sound', async (t) => {
  for (const bytes of [torchZip(stateDict({ a: tensor() })), torchLegacy(stateDict({ a: tensor() }))]) {
    const { tensors } = await opened(t, bytes)
    assert.deepEqual(await readTensor(tensors.get('a')!), new Float32Array(2))
  }
})

test('calls of anything that has no place in a state dict', async (t) => {
  for (const [module, name] of [
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['subprocess', 'Popen'],
    ['torch.storage', '_load_from_bytes'],
    ['torch', 'load'],
    ['torch._utils', '_rebuild_qtensor'],
    ['torch', '__proto__'],
    ['torch', 'constructor'],
    ['toString', ''],
  ] as const) {
    const value = stateDict({ a: tensor(), b: call(global(module, name), text('echo')) })
    const message = new RegExp(`"${module}\\.${name}" has no place in a state dict and is refused`)
    await refused(t, torchZip(value), message)
    await refused(t, torchLegacy(value), message)
    // Named from the stack, as protocol 4 does it.
    const late = Buffer.concat([text(module), text(name), Buffer.from([0x93])])
    await refused(t, torchZip(stateDict({ a: late })), message)
  }
})

test('what is known and harmless is a name without content, and no tensor', async (t) => {
  const getattr = call(global('builtins', 'getattr'), text('x'), text('__class__'))
  const beside = stateDict({ state_dict: stateDict({ a: tensor() }), log: getattr })
  assert.deepEqual([...(await opened(t, torchZip(beside))).tensors.keys()], ['a'])
  await refused(
    t,
    torchZip(stateDict({ a: getattr })),
    /"a": expected a tensor, found an object of builtins\.getattr; a state dict may be under/,
  )
  await refused(
    t,
    torchZip(stateDict({ a: call(getattr) })),
    /expected a class to call, found an object of builtins\.getattr/,
  )
  await refused(t, torchZip(call(global('torch', 'FloatStorage'))), /"torch\.FloatStorage" cannot be called/)
})

const raw = (...codes: number[]) => Buffer.from(codes)
const pieces: readonly [what: string, value: Piece, message: RegExp][] = [
  ['nothing', raw(), /expected 1 values on the stack, found fewer/],
  ['an instruction of protocol 0', raw(0x49, 0x31, 0x0a), /byte \d+: instruction 0x49 has no place in a state dict/],
  ['an extension', raw(0x82, 1), /instruction 0x82 has no place/],
  ['two values', raw(0x4e, 0x4e), /1 values are left at the end/],
  ['an end without a beginning', raw(0x74), /the end of something that never began/],
  ['an item below the mark', raw(0x7d, 0x28, 0x73), /expected 2 values on the stack/],
  ['a value that was never stored', raw(0x68, 7), /value 7 is used and was never stored/],
  ['a text of 4 GB', raw(0x58, 0xff, 0xff, 0xff, 0xff), /expected 4294967295 more bytes, found \d+/],
  ['a text of 2^63 bytes', raw(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80), /expected 9223372036854776000 more bytes/],
  ['a frame of 2^63 bytes', raw(0x95, 0, 0, 0, 0, 0, 0, 0, 0x80), /expected 9223372036854776000 more bytes/],
  ['a text that is not UTF-8', raw(0x58, 1, 0, 0, 0, 0xff), /expected UTF-8 text/],
  [
    'a number of 1,000 bytes',
    Buffer.concat([raw(0x8b, 0xe8, 3, 0, 0), Buffer.alloc(1000, 1)]),
    /1000 bytes, at most 64/,
  ],
  ['a name without end', Buffer.concat([raw(0x63), Buffer.alloc(400, 0x61)]), /expected a name of at most 256 bytes/],
  ['names that are numbers', raw(0x4b, 1, 0x4b, 2, 0x93), /expected the names of a module and a class, found 1 and 2/],
  ['a call of a text', raw(...text('a'), 0x29, 0x52), /expected a class to call, found a text/],
  [
    'arguments that are none',
    Buffer.concat([global('torch', 'Size'), raw(0x4e, 0x52)]),
    /arguments of torch\.Size, found None/,
  ],
  ['an object of no class', raw(0x4e, 0x51), /expected a storage, found None/],
  ['items of a number', raw(0x4b, 1, 0x4e, 0x61), /expected a list to add to, found 1/],
  ['keys of a list', raw(0x5d, 0x4e, 0x4e, 0x73), /expected a dict to add to, found a list of 0 items/],
  ['half an item', raw(0x7d, 0x28, 0x4e, 0x75), /a key without a value/],
  ['attributes of a text', raw(...text('a'), 0x7d, 0x62), /attributes of a text cannot be set/],
  [
    'a key twice',
    dict([
      [text('a'), tensor()],
      [text('a'), tensor()],
    ]),
    /the key "a" occurs twice/,
  ],
  ['10,000 levels', Buffer.alloc(10_000, 0x28), /more than 500 levels of nesting/],
  ['two million instructions', Buffer.alloc(2_000_000, 0x4e), /more than 1000000 instructions/],
  ['a list', list(tensor()), /expected a state dict, found a list of 1 items/],
  ['no tensors', stateDict({}), /expected tensors, found an empty dict/],
  ['a number for a tensor', stateDict({ model: stateDict({ a: int(3) }) }), /model: "a": expected a tensor, found 3/],
  ['a name that is none', dict([[none, tensor()]]), /expected the name of a tensor, found None/],
  // d = {}; d['model'] = d
  [
    'a dict in itself',
    raw(0x7d, 0x71, 0, ...text('model'), 0x68, 0, 0x73),
    /model\.model\.model\.model: .*is it inside itself/,
  ],
]
for (const [what, value, message] of pieces)
  test(`refused: ${what}`, async (t) => {
    await refused(t, torchZip(value), message)
    await refused(t, value.includes('FloatStorage') ? torchLegacy(value) : torchLegacy(value, []), message)
  })

const specs: readonly [spec: TensorSpec, message: RegExp][] = [
  [{ shape: [3] }, /"a": bytes 0 to 12 of storage "0", which has 8/],
  [{ offset: 1 }, /"a": bytes 4 to 12 of storage "0"/],
  [{ offset: 2 ** 53 - 1 }, /"a": bytes \d+ to \d+ of storage "0"/],
  [{ offset: -1 }, /a tensor that starts at -1/],
  [{ shape: [-2] }, /shape of a tensor: expected whole numbers from 0, found -2/],
  [{ shape: [2 ** 62] }, /shape of a tensor: expected whole numbers from 0, found 4611686018427387904/],
  [{ shape: [2 ** 40, 2 ** 40], strides: [2 ** 40, 1] }, /\(1099511627776,1099511627776\) is no whole number of bytes/],
  [{ shape: [2], strides: [0] }, /stored with strides \(0\)/],
  [{ shape: [2, 1], strides: [1] }, /shape \(2,1\) and strides \(1\), expected as many of both/],
  [{ shape: Array(65).fill(1), strides: Array(65).fill(1) }, /65 dimensions, at most 64/],
  [{ type: 'QInt8Storage' }, /"torch\.QInt8Storage" has no place in a state dict/],
  [{ type: 'float32' }, /expected the type of a storage, found torch\.float32/],
  [{ size: -1 }, /storage "0": expected its number of elements, found -1/],
  [{ size: 2 ** 52, type: 'DoubleStorage' }, /storage "0": expected its number of elements/],
]
for (const [spec, message] of specs)
  test(`refused: a tensor with ${JSON.stringify(spec).slice(0, 60)}`, async (t) => {
    await refused(t, torchZip(stateDict({ a: tensor(spec) })), message)
    await refused(t, torchLegacy(stateDict({ a: tensor(spec) })), message)
  })

test('refused: tensors that disagree about their storage, or are to be negated', async (t) => {
  const two = stateDict({ a: tensor(), b: tensor({ type: 'IntStorage' }) })
  await refused(t, torchZip(two), /storage "0" is 2 x I32, and was 2 x F32 before/)
  const negated = call(
    global('torch._utils', '_rebuild_tensor_v2'),
    ...[none, none, none, none, none, none, stateDict({ neg: int(1) })],
  )
  await refused(t, torchZip(stateDict({ a: negated })), /stored negated or conjugated/)
  await refused(
    t,
    torchZip(stateDict({ a: call(global('torch._utils', '_rebuild_parameter'), tuple()) })),
    /a parameter without a tensor, with a tuple of 0 items/,
  )
})

test('refused: archives that do not fit their pickle', async (t) => {
  const sound = torchFiles(stateDict({ a: tensor() }), { 0: 8 })
  const [pickle, ...others] = sound as [(typeof sound)[0], ...typeof sound]
  await refused(t, zip(others), /a zip archive; expected one data\.pkl in it, as torch\.save writes it, found none/)
  await refused(t, zip([...sound, { ...pickle, name: 'b/data.pkl' }]), /found "archive\/data\.pkl", "b\/data\.pkl"/)
  await refused(
    t,
    zip([{ ...pickle, crc: 1 }, ...others]),
    /data\.pkl: its checksum \(CRC-32\) is not that of the directory/,
  )
  await refused(t, zip([{ ...pickle, method: 8 }, ...others]), /data\.pkl" is compressed; save the file again/)
  await refused(t, torchZip(stateDict({ a: tensor() }), {}), /"archive\/data\/0" is missing in the archive/)
  await refused(t, torchZip(stateDict({ a: tensor() }), { 0: 7 }), /"archive\/data\/0" has 7 bytes, its 2 x F32 need 8/)
  await refused(
    t,
    zip([...sound, { name: 'archive/byteorder', data: Buffer.from('big') }]),
    /byte order "big", only "little" can be read/,
  )
  const little = zip([...sound, { name: 'archive/byteorder', data: Buffer.from('little') }])
  assert.equal((await opened(t, little)).tensors.size, 1)
  const trailing = { ...pickle, data: Buffer.concat([pickle.data as Uint8Array, raw(0)]) }
  await refused(t, zip([trailing, ...others]), /1 bytes follow the end of the pickle/)
  // A zip bomb would claim more than is there, or share bytes between files.
  await refused(t, zip(sound.map((file) => ({ ...file, offset: 0 }))), /where (it is not|something else starts)/)
})

test('refused: legacy files that do not fit their pickles', async (t) => {
  const value = stateDict({ a: tensor() })
  const data = new Uint8Array(8)
  await refused(t, torchLegacy(value, []), /storage "0" is used and not listed/)
  await refused(
    t,
    torchLegacy(value, [
      ['0', 2, data],
      ['0', 2, data],
    ]),
    /storage "0" is listed and not used, or twice/,
  )
  await refused(t, torchLegacy(value, [['1', 2, data]]), /storage "1" is listed and not used/)
  await refused(t, torchLegacy(value, [['0', 3, data]]), /storage "0": expected 2 elements, found 3 at byte \d+/)
  await refused(
    t,
    torchLegacy(value, [['0', 2, data.subarray(1)]]),
    /storage "0" ends at byte \d+, the file at byte \d+/,
  )
})

test('every truncation of a file is an error', async (t) => {
  const folder = temporaryFolder(t)
  for (const whole of [torchZip(stateDict({ a: tensor() })), torchLegacy(stateDict({ a: tensor() }))])
    for (let length = 0; length < whole.length; length++)
      await assert.rejects(
        openCheckpoint(put(folder, 'f.pth', whole.subarray(0, length))),
        CheckpointError,
        `${length}`,
      )
})

test('a file of 5 GB: places beyond 4 GB, in zip64 fields', {
  skip: process.platform === 'win32' && 'Windows would fill the hole in the file',
}, async (t) => {
  const elements = 1.25e9
  const value = stateDict({
    last: tensor({ size: elements, offset: elements - 2 }),
    next: tensor({ key: '1' }),
  })
  const next = Float32Array.of(1.5, -2)
  const { parts, size } = zipParts(torchFiles(value, { 0: 4 * elements, 1: new Uint8Array(next.buffer) }), true)
  const path = join(temporaryFolder(t), 'large.pth')
  const file = openSync(path, 'w')
  for (const { at, bytes } of parts) writeSync(file, bytes, 0, bytes.length, at)
  ftruncateSync(file, size)
  closeSync(file)
  const { tensors, files } = await openCheckpoint(path)
  assert.ok(files[0]!.size > 5e9)
  assert.ok(tensors.get('next')!.offset > 5e9)
  assert.deepEqual(await readTensor(tensors.get('next')!), next)
  assert.deepEqual(await readTensor(tensors.get('last')!), new Float32Array(2))
})
