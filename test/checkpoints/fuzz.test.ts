/** Thousands of damaged headers: each gives a table that keeps the promises of the format, or a CheckpointError. Nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dtypeBits, isDtype } from '../../src/checkpoints/dtype.ts'
import { headerLength, parseHeader } from '../../src/checkpoints/safetensors.ts'
import { parseIndex } from '../../src/checkpoints/shards.ts'
import { CheckpointError } from '../../src/errors.ts'
import { damageBytes, picker, random } from './damage.ts'
import { safetensorsBytes } from './files.ts'

const base = {
  __metadata__: { format: 'pt', ключ: '\u0001"\\' },
  'a.weight': { dtype: 'F32', shape: [3, 2], data_offsets: [0, 24] },
  'a.bias': { dtype: 'BF16', shape: [3], data_offsets: [24, 30] },
  empty: { dtype: 'I64', shape: [0, 7], data_offsets: [30, 30] },
  scalar: { dtype: 'U8', shape: [], data_offsets: [30, 31] },
}
const dataLength = 31

/** What JSON is made of. */
const oddBytes = [...Buffer.from('{}[]",:\\0129-+.eE ntf')]

// biome-ignore format: a list reads better in lines
const oddValues: readonly unknown[] = [
  null, true, -1, -0, 0, 1, 1.5, 2, 24, 30, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300, '', 'F32', 'F64', 'F4', 'BOOL', 'f32',
  '__proto__', [], {}, [0], [[0]], [0, 24], [24, 0], [30, 31], [2 ** 40, 2 ** 40], [0, 2 ** 53 - 1], { dtype: 'U8' }, Array(70).fill(1),
]

/** Replaces, removes or adds a value somewhere in the header, keeping it JSON. */
function damageStructure(next: () => number): Uint8Array {
  const pick = picker(next)
  const header = structuredClone(base) as Record<string, Record<string, unknown>>
  for (let count = 1 + Math.floor(next() * 2); count > 0; count--) {
    const name = pick(Object.keys(header))
    const entry = header[name]!
    const field = pick(['dtype', 'shape', 'data_offsets', 'format', 'other'])
    pick<() => void>([
      () => {
        if (typeof entry === 'object' && entry !== null) entry[field] = pick(oddValues)
      },
      () => {
        const list = entry?.[field]
        if (Array.isArray(list)) list[Math.floor(next() * (list.length + 1))] = pick(oddValues)
      },
      () => {
        header[name] = pick(oddValues) as Record<string, unknown>
      },
      () => {
        if (Object.keys(header).length > 1) delete header[name]
      },
      () => {
        header[pick(['', 'a.weight', '__metadata__', 'new'])] = structuredClone(header[pick(Object.keys(header))]!)
      },
    ])()
  }
  return safetensorsBytes(header, pick([dataLength, dataLength, dataLength, 0, 30, 32, 55]))
}

/** Reads a header; true for a table, which is checked, false for a CheckpointError. Anything else is thrown on. */
function survives(bytes: Uint8Array): boolean {
  try {
    const place = { where: 'f', file: '/f', size: bytes.length }
    const length = headerLength(bytes.subarray(0, 8), place)
    const { tensors, metadata } = parseHeader(bytes.subarray(8, 8 + length), place)
    let end = 8 + length
    for (const { name, dtype, shape, offset, length } of tensors) {
      assert.equal(typeof name, 'string')
      assert.ok(isDtype(dtype))
      assert.equal(offset, end)
      assert.equal(length, (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8)
      end += length
    }
    assert.equal(end, bytes.length)
    assert.equal(new Set(tensors.map(({ name }) => name)).size, tensors.length)
    for (const value of Object.values(metadata)) assert.equal(typeof value, 'string')
    return true
  } catch (error) {
    if (error instanceof CheckpointError) return false
    throw error
  }
}

function outcomes(cases: number, make: (next: () => number) => Uint8Array): { tables: number; errors: number } {
  let tables = 0
  for (let seed = 0; seed < cases; seed++) {
    const bytes = make(random(seed))
    try {
      if (survives(bytes)) tables++
    } catch (cause) {
      throw new Error(`seed ${seed}: ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`, { cause })
    }
  }
  return { tables, errors: cases - tables }
}

test('3,000 headers with damaged bytes', () => {
  const { tables, errors } = outcomes(3000, (next) => damageBytes(safetensorsBytes(base, dataLength), next, oddBytes))
  // Both outcomes must occur, or the test would be blind to one of them.
  assert.ok(tables > 50 && errors > 2000, `${tables} tables, ${errors} errors`)
})

test('3,000 headers with odd values in their places', () => {
  const { tables, errors } = outcomes(3000, damageStructure)
  assert.ok(tables > 50 && errors > 2000, `${tables} tables, ${errors} errors`)
})

test('2,000 damaged indexes', () => {
  const index = Buffer.from(
    JSON.stringify({
      metadata: { total_size: 31, nested: [{ a: [null, -1.5e3, 'x'] }] },
      weight_map: { a: 'b.safetensors', c: 'd/e.safetensors' },
    }),
  )
  let tables = 0
  for (let seed = 0; seed < 2000; seed++) {
    const text = Buffer.from(damageBytes(index, random(seed), oddBytes)).toString()
    try {
      const weightMap = parseIndex(text, 'f')
      for (const file of weightMap.values()) assert.match(file, /^(?![/\\]|.*\.\.[/\\]).*\.safetensors$/su)
      tables++
    } catch (error) {
      assert.ok(error instanceof CheckpointError, `seed ${seed}: ${JSON.stringify(text)}: ${error}`)
    }
  }
  assert.ok(tables > 50 && tables < 1500, `${tables} tables`)
})
