import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32, dataOffset, findDirectory, localLength, readDirectory } from '../../src/checkpoints/zip.ts'
import { CheckpointError } from '../../src/errors.ts'
import { type ZipFile, zip } from './torch-files.ts'

test('the checksum of "123456789" (the check value of CRC-32/ISO-HDLC)', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926)
  assert.equal(crc32(new Uint8Array(0)), 0)
})

/** Name → data, found through the directory. */
function contents(bytes: Buffer): Record<string, string> {
  const place = { where: 'f', size: bytes.length }
  const directory = findDirectory(bytes, place)
  const table = bytes.subarray(directory.offset, directory.offset + directory.length)
  return Object.fromEntries(
    [...readDirectory(table, directory, place).values()].map((entry) => {
      const header = bytes.subarray(entry.headerOffset, entry.headerOffset + localLength(entry))
      const offset = dataOffset(entry, header, place)
      assert.equal(offset % 64, 0)
      return [entry.name, bytes.toString('utf8', offset, offset + entry.size)]
    }),
  )
}

const files: readonly ZipFile[] = [
  { name: 'a/первый', data: Buffer.from('one') },
  { name: 'a/empty', data: new Uint8Array(0) },
  { name: 'a/two', data: Buffer.from('second') },
]
const expected = { 'a/первый': 'one', 'a/empty': '', 'a/two': 'second' }

test('files of an archive, with 32-bit and with zip64 fields', () => {
  assert.deepEqual(contents(zip(files)), expected)
  assert.deepEqual(contents(zip(files, true)), expected)
})

test('a comment at the end, also one that looks like an end', () => {
  const plain = zip(files)
  const comment = Buffer.from('PK\x05\x06 and more, and more, and more')
  const commented = Buffer.concat([plain, comment])
  commented.writeUInt16LE(comment.length, plain.length - 2)
  assert.deepEqual(contents(commented), expected)
})

function refused(bytes: Buffer, message: RegExp): void {
  assert.throws(
    () => contents(bytes),
    (error) => {
      assert.ok(error instanceof CheckpointError, String(error))
      assert.match(error.message, message)
      return true
    },
  )
}

test('archives that cannot be used', () => {
  const [one, , two] = files as [ZipFile, ZipFile, ZipFile]
  refused(zip(files).subarray(0, -1), /f: the end of the zip archive is missing; the file is incomplete/)
  refused(zip([{ ...one, method: 8 }]), /"a\/первый" is compressed; save the file again with torch\.save/)
  refused(zip([{ ...one, flags: 1 }]), /"a\/первый" is encrypted/)
  refused(zip([one, one]), /"a\/первый" is in the archive twice/)
  refused(zip([one, { ...two, offset: 0 }]), /"a\/(первый|two)": .*(where it is not|where something else starts)/)
  refused(zip([{ ...one, offset: 3 }]), /"a\/первый": the directory says it is at byte 3, where it is not/)

  const longer = zip([one, two])
  const sizes = longer.indexOf('PK\x01\x02') + 20
  longer.writeUInt32LE(5000, sizes)
  longer.writeUInt32LE(5000, sizes + 4)
  refused(longer, /5000 bytes at 64 reach beyond byte \d+, where something else starts/)

  const cut = zip(files)
  cut.writeUInt32LE(0xfffffff0, cut.length - 6)
  refused(cut, /a zip directory of 3 files and \d+ bytes at 4294967280 in a file of \d+ bytes/)
  const many = zip(files)
  many.writeUInt16LE(4000, many.length - 12)
  refused(many, /a zip directory of 4000 files/)
  const broken = zip(files)
  broken.writeUInt16LE(9999, broken.lastIndexOf('PK\x01\x02') + 28)
  refused(broken, /zip directory: file 2 of 3 is damaged/)

  const large = zip(files, true)
  large.writeUInt32LE(0, large.length - 22 - 20 - 56)
  refused(large, /the zip64 end record is not where its locator says/)
  const bare = zip(files, true)
  bare.writeUInt16LE(2, bare.indexOf('PK\x01\x02') + 46 + Buffer.byteLength(one.name))
  refused(bare, /"a\/первый": its zip64 sizes are missing/)
})
