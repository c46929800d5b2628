import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { keepWholeBatches, openRecords } from '../../src/checkpoints/node-records.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-records-'))
after(() => rmSync(folder, { recursive: true }))

const texts = ['first', '', 'the third record', 'last']

async function written(name: string): Promise<string> {
  const path = join(folder, name)
  const records = await openRecords(path)
  for (const text of texts) await records.append(Buffer.from(text.slice(0, 2)), Buffer.from(text.slice(2)))
  await records.close()
  return path
}

/** What is in the file when it is opened again. */
async function contents(path: string): Promise<string[]> {
  const records = await openRecords(path)
  const found: string[] = []
  for (let i = 0; i < records.count; i++) {
    const bytes = Buffer.alloc(records.size(i))
    await records.read(i, bytes)
    found.push(bytes.toString())
  }
  await records.close()
  return found
}

test('what was appended is there, also in parts', async () => {
  const path = await written('whole')
  assert.deepEqual(await contents(path), texts)
  const records = await openRecords(path)
  const part = Buffer.alloc(5)
  await records.read(2, part, 4)
  assert.equal(part.toString(), 'third')
  await assert.rejects(records.read(2, part, 12), /record 2 is too short/)
  await records.close()
})

test('cut short anywhere: the records before are there, and the file goes on behind them', async () => {
  const whole = readFileSync(await written('cut'))
  const ends = texts.map((_, i) => texts.slice(0, i + 1).reduce((sum, text) => sum + 8 + text.length, 0))
  assert.equal(whole.length, ends.at(-1))
  for (let length = 0; length < whole.length; length++) {
    const path = join(folder, 'cut')
    writeFileSync(path, whole.subarray(0, length))
    const kept = texts.slice(0, ends.filter((end) => end <= length).length)
    const records = await openRecords(path)
    assert.equal(records.count, kept.length, `${length} bytes`)
    await records.append(Buffer.from('next'))
    await records.close()
    assert.deepEqual(await contents(path), [...kept, 'next'])
  }
})

test('a changed bit or a tail of zeros ends the file', async () => {
  const path = await written('damaged')
  const whole = readFileSync(path)
  for (const at of [21, 25, 30, 36]) {
    const damaged = Buffer.from(whole)
    damaged[at]! ^= 4
    writeFileSync(path, damaged)
    assert.deepEqual(await contents(path), texts.slice(0, 2), `byte ${at}`)
  }
  writeFileSync(path, Buffer.concat([whole, Buffer.alloc(100)]))
  assert.deepEqual(await contents(path), texts)
  assert.equal(statSync(path).size, whole.length)
})

test('records longer than what is read at once', async () => {
  const path = join(folder, 'long')
  const lengths = [3e6, 5e6, 10, 9e6]
  const records = await openRecords(path)
  for (const length of lengths) await records.append(Buffer.alloc(length, length % 251))
  await records.close()
  const again = await openRecords(path)
  assert.deepEqual(
    lengths.map((_, i) => again.size(i)),
    lengths,
  )
  assert.equal(again.count, lengths.length)
  await again.close()
})

test('a batch that is not whole is dropped, unless all is there', async () => {
  for (const [total, batch, kept] of [
    [4, 3, 4],
    [5, 3, 3],
    [5, 2, 4],
    [9, 5, 0],
  ] as const) {
    const records = await openRecords(await written(`batches-${total}-${batch}`))
    await records.keep(4)
    await keepWholeBatches(records, total, batch)
    assert.equal(records.count, kept)
    await records.close()
    assert.deepEqual(await contents(records.path), texts.slice(0, kept))
    rmSync(records.path)
  }
})

test('a file that cannot be opened is named', async () => {
  await assert.rejects(openRecords(join(folder, 'no', 'such')), /no\/such: no such file or folder/)
})
