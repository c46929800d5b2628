import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import type { ValidationLine } from '../../src/training/log.ts'
import { openRunLog } from '../../src/training/node-run-log.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-log-'))
after(() => rmSync(root, { recursive: true }))

function folder(name: string): string {
  mkdirSync(join(root, name))
  return join(root, name)
}

const line = (step: number): ValidationLine => ({ kind: 'validation', step, loss: 1 / 3, parts: {}, examples: [] })

test('a run that goes on from a step forgets the lines behind it, and half lines', async () => {
  const path = folder('lines')
  const log = await openRunLog(path, 0)
  for (const step of [1, 2, 3]) await log.append(line(step))
  appendFileSync(join(path, 'log.jsonl'), '{"kind":"st')
  const again = await openRunLog(path, 2)
  assert.deepEqual(again.lines, [line(1), line(2)])
  await again.append(line(3))
  const text = readFileSync(join(path, 'log.jsonl'), 'utf8')
  assert.equal(text, [1, 2, 3].map((step) => `${JSON.stringify(line(step))}\n`).join(''))
})

test('a bad sample is told once, also after a stop', async () => {
  const path = folder('bad')
  const log = await openRunLog(path, 0)
  await log.appendBad('a', 'torn')
  await log.appendBad('a', 'torn')
  appendFileSync(join(path, 'bad.jsonl'), '{"key":"b"')
  const again = await openRunLog(path, 0)
  for (const key of ['a', 'b', 'b']) await again.appendBad(key, 'torn')
  assert.equal(
    readFileSync(join(path, 'bad.jsonl'), 'utf8'),
    '{"key":"a","reason":"torn"}\n{"key":"b","reason":"torn"}\n',
  )
})

test('what a kill left of a rewrite is removed, other files are not', async () => {
  const path = folder('drafts')
  for (const name of ['.log.jsonl.0a1b2c.tmp', '.report.html.0a1b2c.tmp', '.notes.tmp'])
    writeFileSync(join(path, name), '')
  await openRunLog(path, 0)
  assert.deepEqual(readdirSync(path), ['.notes.tmp', 'log.jsonl'])
})

test('a full disk', { skip: process.platform !== 'linux' && 'there is no /dev/full' }, async () => {
  const path = folder('full')
  const log = await openRunLog(path, 0)
  rmSync(join(path, 'log.jsonl'))
  symlinkSync('/dev/full', join(path, 'log.jsonl'))
  await assert.rejects(log.append(line(1)), (error) => {
    assert.ok(error instanceof CheckpointError)
    assert.match(error.message, /log\.jsonl: the disk is full: \d+ bytes are needed/)
    return true
  })
})
