import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode, fileError, formatBytes, writeError } from '../../src/checkpoints/node-errors.ts'
import { CheckpointError } from '../../src/errors.ts'
import { temporaryFolder } from './files.ts'

/** What Node throws for a failed system call. */
function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: the system's words`), { code, errno: -28, syscall: 'write' })
}

test('a full disk is explained with the bytes that are needed and the bytes that are free', async (t) => {
  const folder = temporaryFolder(t)
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const cause = systemError(code)
    const error = await writeError(cause, `${folder}/m.safetensors`, 14_979_047_424)
    assert.ok(error instanceof CheckpointError)
    assert.match(
      error.message,
      /m\.safetensors: the disk is full: 14\.98 GB are needed, [\d.]+ [kMGT]B are free in .*; free some space/,
    )
    assert.equal(error.cause, cause)
  }
  const elsewhere = await writeError(systemError('ENOSPC'), '/no/such/folder/m', 1)
  assert.match(elsewhere.message, /1 bytes are needed in \/no\/such\/folder;/)
})

test('other failures of the system keep their cause, and CheckpointErrors stay as they are', async () => {
  assert.match((await writeError(systemError('EACCES'), 'm', 1)).message, /^m: no permission; check the owner/)
  assert.match(fileError(systemError('EIO'), 'm').message, /^m: EIO: the system's words$/)
  const own = new CheckpointError('as it is')
  assert.equal(fileError(own, 'm'), own)
})

test('only failed system calls have a code', () => {
  assert.equal(errorCode(systemError('EIO')), 'EIO')
  assert.equal(errorCode(Object.assign(new Error('aborted'), { code: 'ABORT_ERR' })), undefined)
  assert.equal(errorCode('EIO'), undefined)
})

test('bytes in decimal units', () => {
  const shown = [0, 999, 1000, 419_488, 999_999, 14_979_047_424, 8e15].map(formatBytes)
  assert.deepEqual(shown, ['0 bytes', '999 bytes', '1.000 kB', '419.5 kB', '1000 kB', '14.98 GB', '8000 TB'])
})
