import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  encodeHeader,
  type Header,
  headerLength,
  maxHeaderLength,
  parseHeader,
} from '../../src/checkpoints/safetensors.ts'
import { CheckpointError } from '../../src/errors.ts'
import { safetensorsBytes } from './files.ts'

function read(bytes: Uint8Array): Header {
  const place = { where: 'm.safetensors', file: '/models/m.safetensors', size: bytes.length }
  const length = headerLength(bytes.subarray(0, 8), place)
  return parseHeader(bytes.subarray(8, 8 + length), place)
}

const f32 = (shape: unknown, begin: unknown, end: unknown) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })

test('a table in the order of the bytes, with offsets from the start of the file', () => {
  const header = {
    __metadata__: { format: 'pt' },
    second: f32([2, 1], 4, 12),
    first: f32([], 0, 4),
    none: f32([3, 0], 4, 4),
  }
  const bytes = safetensorsBytes(header, 12)
  const start = bytes.length - 12
  const at = { dtype: 'F32', file: '/models/m.safetensors' } as const
  assert.deepEqual(read(bytes), {
    metadata: { format: 'pt' },
    tensors: [
      { name: 'first', ...at, shape: [], offset: start, length: 4 },
      { name: 'none', ...at, shape: [3, 0], offset: start + 4, length: 0 },
      { name: 'second', ...at, shape: [2, 1], offset: start + 4, length: 8 },
    ],
  })
})

test('white space, escapes and names that JavaScript treats specially', () => {
  const text =
    '{ "a\\u0062\\"" :\n{"shape":[ 1 ],\t"data_offsets":[0,1],"dtype":"U8"},"__proto__":{"dtype":"U8","shape":[],"data_offsets":[1,2]} }   '
  assert.deepEqual(
    read(safetensorsBytes(text, 2)).tensors.map(({ name }) => name),
    ['ab"', '__proto__'],
  )
  const { metadata } = read(safetensorsBytes('{"__metadata__":{"__proto__":"x"}}', 0))
  assert.deepEqual(Object.entries(metadata), [['__proto__', 'x']])
})

test('sub-byte types fill whole bytes or are refused', () => {
  const four = (elements: number) =>
    safetensorsBytes({ a: { dtype: 'F4', shape: [elements], data_offsets: [0, 2] } }, 2)
  assert.equal(read(four(4)).tensors[0]?.length, 2)
  assert.throws(() => read(four(3)), /"a": F4 of shape \(3\) is no whole number of bytes/)
})

test('an empty header is an empty table', () => {
  assert.deepEqual(read(safetensorsBytes('{}', 0)), { tensors: [], metadata: {} })
})

/** What is wrong, the file, and what the message must say. */
const refused: [string, Uint8Array, RegExp][] = [
  ['an empty file', new Uint8Array(0), /m\.safetensors: expected a safetensors file, found 0 bytes; download it again/],
  ['seven bytes', new Uint8Array(7), /found 7 bytes/],
  [
    'a header larger than the file',
    safetensorsBytes('{}', 0).fill(99, 0, 1),
    /header of 99 bytes in a file of 10 bytes; .*download it again/,
  ],
  [
    'a header above the limit',
    Uint8Array.of(1, 0xe1, 0xf5, 5, 0, 0, 0, 0),
    /header of 100000001 bytes, where 100000000 is the limit/,
  ],
  ['a header of 2^64 - 1 bytes', new Uint8Array(16).fill(255), /header of 18446744073709551615 bytes/],
  ['no header', new Uint8Array(8), /header: character 0: expected an opening brace, found the end/],
  ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /Git LFS pointer.*git lfs pull/],
  ['a pickle', Buffer.from('\x80\x02}q\x00(X\x01', 'latin1'), /found a Python pickle .*use the \.safetensors files/],
  ['a web page', Buffer.from('<!DOCTYPE html>'), /HTML or XML page/],
  ['not UTF-8', safetensorsBytes('{"\u0000"', 0).fill(0xff, 10, 11), /expected UTF-8 text/],
  ['not JSON', safetensorsBytes('{"a"', 0), /header: character 4: expected a colon, found the end/],
  ['an array', safetensorsBytes('[]', 0), /expected an opening brace, found "\[\]"/],
  ['leading space', safetensorsBytes(' {}', 0), /expected an opening brace/],
  ['text behind the header', safetensorsBytes('{} x', 0), /expected the end, found "x"/],
  [
    'a name twice',
    safetensorsBytes('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}', 0),
    /the key "a" occurs twice/,
  ],
  [
    'a field twice',
    safetensorsBytes('{"a":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}}', 0),
    /the key "dtype" occurs twice/,
  ],
  [
    'an unknown field',
    safetensorsBytes({ a: { ...f32([0], 0, 0), order: 'C' } }, 0),
    /"a": expected dtype, shape and data_offsets, found "order"/,
  ],
  ['metadata of numbers', safetensorsBytes({ __metadata__: { step: 3 } }, 0), /expected a string, found "3}}"/],
  ['metadata of text', safetensorsBytes({ __metadata__: 'x' }, 0), /expected an object, found/],
  ['an entry of text', safetensorsBytes({ a: 'F32' }, 0), /expected an object, found/],
  [
    'no dtype',
    safetensorsBytes({ a: { shape: [0], data_offsets: [0, 0] } }, 0),
    /m\.safetensors: "a": dtype is missing/,
  ],
  ['no shape', safetensorsBytes({ a: { dtype: 'U8', data_offsets: [0, 0] } }, 0), /"a": shape is missing/],
  [
    'no offsets',
    safetensorsBytes({ a: { dtype: 'U8', shape: [0] } }, 0),
    /"a": data_offsets: expected \[begin, end\], found none/,
  ],
  ['one offset', safetensorsBytes({ a: { dtype: 'U8', shape: [0], data_offsets: [0] } }, 0), /found \[0\]/],
  [
    'three offsets',
    safetensorsBytes({ a: { dtype: 'U8', shape: [0], data_offsets: [0, 0, 0] } }, 0),
    /expected at most 2 numbers/,
  ],
  [
    'an unknown dtype',
    safetensorsBytes({ a: { dtype: 'F31', shape: [0], data_offsets: [0, 0] } }, 0),
    /"a": dtype: expected one of .*BF16.*found "F31"/,
  ],
  [
    'a dtype of Object.prototype',
    safetensorsBytes({ a: { dtype: 'toString', shape: [0], data_offsets: [0, 0] } }, 0),
    /found "toString"/,
  ],
  [
    'a negative dimension',
    safetensorsBytes({ a: f32([-1], 0, 0) }, 0),
    /expected a whole number from 0 to 2\^53 - 1, found "-1\]/,
  ],
  ['half a dimension', safetensorsBytes({ a: f32([1.5], 0, 0) }, 0), /expected a whole number .*found "1\.5/],
  [
    'a dimension in scientific notation',
    safetensorsBytes('{"a":{"dtype":"F32","shape":[1e3]', 0),
    /expected a whole number .*found "1e3/,
  ],
  [
    'a dimension above 2^53',
    safetensorsBytes('{"a":{"dtype":"F32","shape":[9007199254740992]', 0),
    /expected a whole number/,
  ],
  ['a dimension of text', safetensorsBytes({ a: f32(['1'], 0, 0) }, 0), /expected a whole number/],
  [
    'a product that overflows',
    safetensorsBytes({ a: f32([2 ** 40, 2 ** 40], 0, 0) }, 0),
    /"a": F32 of shape \(1099511627776,1099511627776\) is no whole number of bytes below 2\^53/,
  ],
  ['65 dimensions', safetensorsBytes({ a: f32(Array(65).fill(1), 0, 4) }, 4), /expected at most 64 numbers/],
  [
    'more bytes than the shape has',
    safetensorsBytes({ a: f32([2], 0, 12) }, 12),
    /F32 of shape \(2\) is 8 bytes, data_offsets \[0, 12\] are not/,
  ],
  ['offsets that go backwards', safetensorsBytes({ a: f32([1], 4, 0) }, 4), /data_offsets \[4, 0\] are not/],
  [
    'a truncated file',
    safetensorsBytes({ a: f32([4], 0, 16) }, 15),
    /"a": its data ends at byte 79, the file at byte 78; .*download it again/,
  ],
  [
    'two tensors in the same bytes',
    safetensorsBytes({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12),
    /"b" starts at byte 120, where "a" reaches to byte 124/,
  ],
  [
    'bytes of no tensor',
    safetensorsBytes({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
    /no tensor has bytes 120 to 124, between "a" and "b"/,
  ],
  ['bytes before the first tensor', safetensorsBytes({ a: f32([1], 4, 8) }, 8), /between the header and "a"/],
  [
    'bytes after the last tensor',
    safetensorsBytes({ a: f32([1], 0, 4) }, 6),
    /2 bytes follow the last tensor, which ends at byte 66 of 68/,
  ],
]

for (const [what, bytes, message] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => read(bytes),
      (error) => {
        assert.ok(error instanceof CheckpointError, String(error))
        assert.match(error.message, message)
        return true
      },
    )
  })
}

test('a name of a million characters does not fill the message', () => {
  const bytes = safetensorsBytes({ ['x'.repeat(1e6)]: f32([1], 0, 0) }, 0)
  assert.throws(
    () => read(bytes),
    (error: Error) => error.message.length < 400,
  )
})

test('a hostile header of 20 MB stops at its first wrong value', () => {
  const bytes = safetensorsBytes(`{"a":[${'[],'.repeat(6_600_000)}[]]}`, 0)
  const before = process.memoryUsage().heapUsed
  assert.throws(() => read(bytes), /character 5: expected an object/)
  // JSON.parse needs 40 bytes for each empty array, 264 MB in all; the text itself is 20 MB.
  assert.ok(process.memoryUsage().heapUsed - before < 60e6)
})

test('encodeHeader: padded to 8 bytes, and what parseHeader reads', () => {
  const tensors = [
    { name: 'b', dtype: 'F64', shape: [2] },
    { name: 'a', dtype: 'F16', shape: [3, 1] },
  ] as const
  const header = encodeHeader(tensors, { note: 'ü' })
  assert.equal(header.length % 8, 0)
  const table = read(Buffer.concat([header, new Uint8Array(22)]))
  assert.deepEqual(table.metadata, { note: 'ü' })
  assert.deepEqual(
    table.tensors.map(({ name, dtype, shape, offset, length }) => [name, dtype, shape, offset - header.length, length]),
    [
      ['b', 'F64', [2], 0, 16],
      ['a', 'F16', [3, 1], 16, 6],
    ],
  )
})

test('encodeHeader refuses what parseHeader would', () => {
  const u8 = (name: string, size = 1) => ({ name, dtype: 'U8', shape: [size] }) as const
  assert.throws(() => encodeHeader([u8('a'), u8('a')]), /"a": the name is reserved or occurs twice/)
  assert.throws(() => encodeHeader([u8('__metadata__')]), /reserved/)
  for (const size of [-1, 1.5, 2 ** 53]) assert.throws(() => encodeHeader([u8('a', size)]), CheckpointError)
  assert.throws(() => encodeHeader([u8('x'.repeat(maxHeaderLength))]), /at most 100000000 are allowed/)
})
