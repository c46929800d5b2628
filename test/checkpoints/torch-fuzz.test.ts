/** Thousands of damaged PyTorch files: each gives a table that keeps its promises, or a CheckpointError. Nothing else. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { byteLength } from '../../src/checkpoints/dtype.ts'
import type { Readable } from '../../src/checkpoints/node-read.ts'
import { readTorch } from '../../src/checkpoints/node-torch.ts'
import { torchForm } from '../../src/checkpoints/torch.ts'
import { CheckpointError } from '../../src/errors.ts'
import { repositoryRoot } from '../support/paths.ts'
import { damageBytes, picker, random } from './damage.ts'
import { type Piece, pickled, stateDict, type TensorSpec, tensor, torchLegacy, torchZip, zip } from './torch-files.ts'

/** A file in memory. */
function handleOf(content: Uint8Array): Readable {
  const read = (bytes: Uint8Array, offset: number, length: number, position: number) => {
    const found = content.subarray(position, position + length)
    bytes.set(found, offset)
    return Promise.resolve({ bytesRead: found.length, buffer: bytes })
  }
  return { read } as Readable
}

/** Opens a file; true for a table, which is checked, false for a CheckpointError. Anything else is thrown on. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  const form = torchForm(bytes.subarray(0, 32))
  if (form === undefined) return false
  try {
    const place = { where: 'f', file: '/f', size: bytes.length }
    const { tensors, metadata } = await readTorch(handleOf(bytes), place, form)
    for (const { name, dtype, shape, offset, length, file } of tensors) {
      assert.equal(typeof name, 'string')
      assert.equal(file, '/f')
      assert.equal(length, byteLength(dtype, shape))
      assert.ok(offset >= 0 && offset + length <= bytes.length, `${offset} + ${length} in ${bytes.length}`)
    }
    assert.ok(tensors.length > 0)
    assert.equal(new Set(tensors.map(({ name }) => name)).size, tensors.length)
    assert.equal(metadata.format, `torch ${form}`)
    return true
  } catch (error) {
    if (error instanceof CheckpointError) return false
    throw error
  }
}

/** Both outcomes must occur, or the test would be blind to one of them. */
async function bothOutcomes(cases: number, make: (next: () => number) => Uint8Array): Promise<void> {
  let tables = 0
  for (let seed = 0; seed < cases; seed++) {
    const bytes = make(random(seed))
    try {
      if (await survives(bytes)) tables++
    } catch (cause) {
      throw new Error(`seed ${seed}: ${Buffer.from(bytes).toString('base64')}`, { cause })
    }
  }
  assert.ok(tables > cases / 100 && tables < cases / 2, `${tables} tables of ${cases}`)
}

/** What pickles are made of: the instructions that are known. */
const instructions = [...Buffer.from('NKMJGXCB()t]ae}su012qrhjcRbQ.', 'latin1')].concat([
  0x80, 0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x93, 0x94, 0x95, 0x96,
])

const fixture = (name: string) => readFileSync(join(repositoryRoot, 'test', 'checkpoints', 'torch', name))

/** Something of every kind, and short: every damage has a chance to matter. */
const small = stateDict({
  meta: stateDict({ log: pickled.call(pickled.global('argparse', 'Namespace')), epoch: pickled.int(3) }),
  model: stateDict({ 'vision_model.embeddings.class_embedding': tensor(), bias: tensor({ shape: [1], offset: 1 }) }),
})

test('1,500 archives with damaged pickles, their checksums made right', async () => {
  const value = pickled.whole(small)
  await bothOutcomes(1500, (next) => {
    const pickle = damageBytes(value, next, instructions)
    return zip([
      { name: 'a/data.pkl', data: pickle },
      { name: 'a/data/0', data: 8 },
    ])
  })
})

test('1,000 archives of PyTorch with damaged bytes anywhere', async () => {
  const whole = torchZip(small)
  await bothOutcomes(1000, (next) => damageBytes(whole, next, [0x50, 0x4b, 1, 2, 3, 4, 5, 6]))
})

for (const file of ['views-legacy.pth', 'views-legacy-4.pth'])
  test(`1,000 damaged legacy files: ${file}`, async () => {
    const whole = fixture(file)
    await bothOutcomes(1000, (next) => damageBytes(whole, next, instructions))
  })

test('1,000 files with odd values in their places', async () => {
  const { call, dict, global, int, list, none, text, tuple } = pickled
  const sizes = [-1, 0, 1, 2, 3, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 62]
  await bothOutcomes(1000, (next) => {
    const pick = picker(next)
    const odd = (): Piece =>
      pick<() => Piece>([
        () => none,
        () => int(pick(sizes)),
        () => text(pick(['', 'a', '__proto__', 'model', 'storage'])),
        () => list(tensor(), none),
        () => tuple(none),
        () => global('torch', pick(['FloatStorage', 'Size', 'float16', 'load'])),
        () => call(global('torch', 'device'), text('cpu')),
        () => stateDict({ model: tensor() }),
        () => tensor(),
        () => tensor(spec()),
      ])()
    const spec = (): TensorSpec => ({
      key: pick(['0', '0', '1']),
      type: pick(['FloatStorage', 'FloatStorage', 'HalfStorage', 'BoolStorage', 'float32']),
      size: pick([2, 2, 2, ...sizes]),
      offset: pick([0, 0, 0, 1, ...sizes]),
      shape: pick([[2], [2], [1, 2], [], [0], [2, 1], [pick(sizes)], [pick(sizes), pick(sizes)]]),
      strides: pick([[1], [1], [2, 1], [], [1, 1], [0], [pick(sizes)]]),
    })
    const entries = Array.from({ length: 1 + Math.floor(next() * 3) }, (_, i): [Piece, Piece] => [
      next() < 0.95 ? text(`t${i}`) : odd(),
      next() < 0.5 ? tensor() : next() < 0.7 ? tensor(spec()) : odd(),
    ])
    const value = next() < 0.7 ? dict(entries) : stateDict({ [pick(['model', 'state_dict', 'other'])]: dict(entries) })
    return next() < 0.6 ? torchZip(value, { 0: 8, 1: 4 }) : torchLegacy(value)
  })
})
