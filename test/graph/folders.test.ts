import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commonFolder, relativePath } from '../../src/graph/folders.ts'

test('the deepest folder that holds every file', () => {
  for (const [files, folder] of [
    [[], undefined],
    [['/models/a/model.safetensors'], '/models/a'],
    [['/models/a/1.safetensors', '/models/a/2.safetensors'], '/models/a'],
    [['/models/a/1', '/models/b/2', '/models/a/c/3'], '/models'],
    [['/models/ab/1', '/models/a/2'], '/models'],
    [['/a/1', '/b/2'], '/'],
    [['/1'], '/'],
    [['C:\\models\\a\\1', 'C:\\models\\b\\2'], 'C:/models'],
  ] as const) {
    assert.equal(commonFolder(files), folder, files.join(' '))
  }
})

test('paths from that folder', () => {
  assert.equal(relativePath('/models', '/models/a/1.safetensors'), 'a/1.safetensors')
  assert.equal(relativePath('/', '/a/1'), 'a/1')
  assert.equal(relativePath('/', '/1'), '1')
  assert.equal(relativePath('C:/models', 'C:\\models\\b\\2'), 'b/2')
})
