import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DataError } from '../../src/errors.ts'
import { openJournal } from '../../src/evaluation/node-journal.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-journal-'))
after(() => rmSync(folder, { recursive: true }))

const batch = [
  { id: 1, text: 'a boat\n"é🙂"' },
  { id: 'n2', text: '' },
]
const whole = '{"id":1,"text":"a boat\\n\\"é🙂\\""}\n{"id":"n2","text":""}\n'

test('what was appended is there when it is opened again', async () => {
  const path = join(folder, 'whole.jsonl')
  const journal = await openJournal(path)
  assert.equal(journal.predictions.size, 0)
  await journal.append(batch)
  await journal.append([])
  assert.deepEqual(
    [...journal.predictions],
    [
      [1, batch[0]!.text],
      ['n2', ''],
    ],
  )
  await journal.close()
  assert.equal(readFileSync(path, 'utf8'), whole)

  const again = await openJournal(path)
  assert.deepEqual(again.predictions, journal.predictions)
  await again.append([{ id: 3, text: 'c' }])
  await again.close()
  assert.equal(readFileSync(path, 'utf8'), `${whole}{"id":3,"text":"c"}\n`)
})

test('wherever the last line is torn, it is cut off and the others stay', async () => {
  const path = join(folder, 'torn.jsonl')
  const bytes = Buffer.from(whole)
  for (let length = 0; length <= bytes.length; length++) {
    writeFileSync(path, bytes.subarray(0, length))
    const journal = await openJournal(path)
    const lines = bytes.subarray(0, length).toString('latin1').split('\n').length - 1
    assert.equal(journal.predictions.size, lines, `${length} bytes`)
    await journal.append([{ id: 9, text: 'new' }])
    await journal.close()
    const expected = bytes.subarray(0, lines === 0 ? 0 : lines === 1 ? bytes.indexOf('\n') + 1 : bytes.length)
    assert.equal(readFileSync(path, 'utf8'), `${expected.toString()}{"id":9,"text":"new"}\n`)
  }
})

test('zeros at the end, as after a power failure, are cut off; damage before the end is an error', async () => {
  const path = join(folder, 'damaged.jsonl')
  writeFileSync(path, whole)
  appendFileSync(path, Buffer.alloc(50))
  const journal = await openJournal(path)
  await journal.close()
  assert.equal(journal.predictions.size, 2)
  assert.equal(readFileSync(path, 'utf8'), whole)

  for (const line of ['{"id":1}', 'nothing', '{"id":null,"text":"a"}', '[]', 'null', '']) {
    writeFileSync(path, `${whole}${line}\n${whole}`)
    await assert.rejects(
      openJournal(path),
      (error) => error instanceof DataError && error.message.startsWith(`${path}:3: no prediction`),
      line,
    )
  }
})
