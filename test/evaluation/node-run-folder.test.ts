import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DataError } from '../../src/errors.ts'
import { openRunFolder } from '../../src/evaluation/node-run-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-run-folder-'))
after(() => rmSync(folder, { recursive: true }))

const identity = { benchmark: 'vqav2', settings: { beams: 5, prompt: 'Question: {}' }, model: 'abc' }

test('the same run may go on, another one is refused with what differs, unless it is to begin again', async () => {
  const path = join(folder, 'a', 'b')
  const run = await openRunFolder(path, identity)
  writeFileSync(run.kept('predictions.jsonl'), '{}\n')
  mkdirSync(run.kept('work'))
  await run.write('results.json', '[]')
  assert.equal(readFileSync(join(path, 'results.json'), 'utf8'), '[]')

  await openRunFolder(path, identity)
  assert.ok(existsSync(run.kept('predictions.jsonl')))

  const other = { ...identity, model: 'def', settings: { ...identity.settings, beams: 3 } }
  await assert.rejects(openRunFolder(path, other), (error) => {
    assert.ok(error instanceof DataError)
    assert.deepEqual(error.message.split('\n'), [
      `${path}: holds another run; choose another --out, or --fresh to begin again`,
      '  settings: {"beams":5,"prompt":"Question: {}"} there, {"beams":3,"prompt":"Question: {}"} now',
      '  model: "abc" there, "def" now',
    ])
    return true
  })

  await openRunFolder(path, other, true)
  for (const name of ['predictions.jsonl', 'work', 'results.json']) assert.ok(!existsSync(join(path, name)), name)
  await assert.rejects(openRunFolder(path, identity), /holds another run/)
})

test('a folder of something else is left alone, with --fresh too', async () => {
  const path = join(folder, 'photos')
  mkdirSync(path)
  writeFileSync(join(path, 'results.json'), 'mine')
  for (const fresh of [false, true])
    await assert.rejects(
      openRunFolder(path, identity, fresh),
      /photos: expected an empty folder .* found results\.json/,
    )
  assert.equal(readFileSync(join(path, 'results.json'), 'utf8'), 'mine')
  writeFileSync(join(folder, 'file'), '')
  await assert.rejects(openRunFolder(join(folder, 'file', 'run'), identity), /a part of this path is a file/)
})

test('nor is one with a manifest of something else touched, or one that cannot be read', async () => {
  const path = join(folder, 'extension')
  mkdirSync(join(path, 'work'), { recursive: true })
  for (const content of ['{"name": "an extension of a browser"}', '[]', 'null', '{"made_by": "blip2 te']) {
    writeFileSync(join(path, 'manifest.json'), content)
    for (const fresh of [false, true])
      await assert.rejects(openRunFolder(path, identity, fresh), /found manifest\.json, work; choose another --out/)
    assert.equal(readFileSync(join(path, 'manifest.json'), 'utf8'), content)
  }
  assert.ok(existsSync(join(path, 'work')))
})
