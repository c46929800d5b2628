import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { machineName } from '../../../src/checkpoints/node-drafts.ts'
import { DataError } from '../../../src/errors.ts'
import { openWork, removeWork } from '../../../src/tasks/retrieval/node-work.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-work-'))
after(() => rmSync(root, { recursive: true }))

const manifest = { model: 'a', k: 128, exif: true }

test('the same run finds its files; another is refused; fresh begins anew', async () => {
  const path = join(root, 'deep', 'run')
  const first = await openWork(path, manifest)
  writeFileSync(first.file('images.records'), 'x')
  writeFileSync(join(path, '.candidates.safetensors.0123456789ab.tmp'), 'left by a kill')
  await first.close()

  const again = await openWork(path, { ...manifest })
  await again.close()
  assert.deepEqual(readdirSync(path).sort(), ['images.records', 'retrieval.json'])

  await assert.rejects(
    openWork(path, { ...manifest, model: 'b', k: 64 }),
    (error: Error) =>
      error instanceof DataError &&
      /run: this is the work of another run: model was "a", is "b"; k was 128, is 64\. .*--fresh/.test(error.message),
  )
  assert.ok(existsSync(join(path, 'images.records')))
  await (await openWork(path, { ...manifest, model: 'b' }, true)).close()
  assert.deepEqual(readdirSync(path), ['retrieval.json'])
})

test('a manifest that is damaged, and files without one', async () => {
  const path = join(root, 'damaged')
  await (await openWork(path, manifest)).close()
  writeFileSync(join(path, 'retrieval.json'), '{"model"')
  await assert.rejects(openWork(path, manifest), /another run: model was undefined, is "a"/)
  rmSync(join(path, 'retrieval.json'))
  writeFileSync(join(path, 'texts.records'), 'of nobody')
  await (await openWork(path, manifest)).close()
  assert.deepEqual(readdirSync(path), ['retrieval.json'])
})

test("other people's folders are left alone", async () => {
  const path = join(root, 'photos')
  mkdirSync(path)
  writeFileSync(join(path, 'dog.jpg'), 'dog')
  await assert.rejects(openWork(path, manifest), /photos: no work folder of a retrieval, as it has dog\.jpg in it/)
  await assert.rejects(openWork(path, manifest, true), /dog\.jpg/)
  await removeWork(path)
  assert.deepEqual(readdirSync(path), ['dog.jpg'])
  writeFileSync(join(root, 'file'), '')
  await assert.rejects(openWork(join(root, 'file'), manifest), /file: /)
})

test('one run at a time', async () => {
  const path = join(root, 'locked')
  const lock = join(path, 'retrieval.lock')
  const machine = await machineName()
  const work = await openWork(path, manifest)
  await assert.rejects(openWork(path, manifest), /locked: in use by this process; wait for it, or name another folder/)
  await work.close()
  assert.ok(!existsSync(lock))

  writeFileSync(lock, `${machine} ${process.ppid}`)
  await assert.rejects(openWork(path, manifest), new RegExp(`in use by process ${process.ppid};`))
  writeFileSync(lock, `elsewhere 1`)
  await assert.rejects(openWork(path, manifest), /in use by process 1 of another machine/)
  const longAgo = new Date(Date.now() - 3600_000)
  utimesSync(lock, longAgo, longAgo)
  await (await openWork(path, manifest)).close()
  for (const gone of [`${machine} 4194305`, `${machine} ${process.pid}`]) {
    writeFileSync(lock, gone) // a process that there cannot be; one before this with its number
    await (await openWork(path, manifest)).close()
  }
})

test('removed, with the folder', async () => {
  const path = join(root, 'removed')
  const work = await openWork(path, manifest)
  writeFileSync(work.file('matches.records'), '')
  await work.close()
  await removeWork(path)
  assert.ok(!existsSync(path))
  await removeWork(path)
})
