import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { optLike, t5Like } from './models.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-tokenizers-'))
after(() => rmSync(root, { recursive: true }))

function folder(files: Record<string, unknown>): string {
  const path = mkdtempSync(join(root, 'checkpoint-'))
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return path
}

async function rejects(path: string, start: string, message: RegExp): Promise<void> {
  await assert.rejects(loadTokenizer(path), (error) => {
    assert.ok(error instanceof CheckpointError, `${error}`)
    assert.ok(error.message.startsWith(`${join(path, start)}: `), error.message)
    assert.match(error.message, message)
    return true
  })
}

test('tokenizer.json alone, and with its configuration', async () => {
  const alone = await loadTokenizer(folder({ 'tokenizer.json': t5Like }))
  assert.deepEqual(alone.encode('two cats'), [7, 4, 5, 1])
  const config = { clean_up_tokenization_spaces: false }
  const both = await loadTokenizer(folder({ 'tokenizer.json': optLike, 'tokenizer_config.json': config }))
  assert.equal(both.decode(both.encode('cat .'), { skipSpecialTokens: true }), 'cat .')
})

test('a folder without tokenizer.json says what was looked for', async () => {
  await rejects(
    folder({ 'vocab.json': {}, 'merges.txt': '' }),
    '.',
    /looked for tokenizer\.json .*copy tokenizer\.json/,
  )
})

test('damaged files are named', async () => {
  await rejects(
    folder({ 'tokenizer.json': '{"model": ' }),
    'tokenizer.json',
    /not valid JSON \(.+\); download it again/,
  )
  await rejects(folder({ 'tokenizer.json': [] }), 'tokenizer.json', /expected an object, found a list/)
  const badConfig = folder({ 'tokenizer.json': optLike, 'tokenizer_config.json': 'nonsense' })
  await rejects(badConfig, 'tokenizer_config.json', /not valid JSON/)
})
