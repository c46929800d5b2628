import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { bertVocab, optLike, optMerges, optVocab, t5Like } from './models.ts'

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

test('vocab.txt, and its settings', async () => {
  const files = { 'vocab.txt': bertVocab.join('\n'), 'special_tokens_map.json': { bos_token: '[DEC]' } }
  const bert = await loadTokenizer(folder(files))
  assert.deepEqual(bert.encode('A cat'), [2, 5, 6, 3])
  assert.equal(bert.tokenId('[DEC]'), bertVocab.length)
  const cased = await loadTokenizer(folder({ ...files, 'tokenizer_config.json': { do_lower_case: false } }))
  assert.deepEqual(cased.encode('A cat'), [2, 1, 6, 3])
})

const optFiles = {
  'vocab.json': Object.fromEntries(optVocab.map((token, id) => [token, id])),
  'merges.txt': `#version: 0.2\n${optMerges.join('\n')}\n`,
}

test('vocab.json with merges.txt, and their settings', async () => {
  const opt = await loadTokenizer(folder({ ...optFiles, 'added_tokens.json': { '<image>': 270 } }))
  assert.deepEqual(opt.encode('cat<image>'), [2, 261, 270])
  const config = { add_bos_token: false }
  assert.deepEqual((await loadTokenizer(folder({ ...optFiles, 'tokenizer_config.json': config }))).encode('cat'), [261])
})

test('tokenizer.json comes before vocab.txt, that before vocab.json', async () => {
  const vocab = { 'vocab.txt': bertVocab.join('\n') }
  assert.equal((await loadTokenizer(folder({ ...optFiles, ...vocab }))).vocabSize, bertVocab.length)
  const all = await loadTokenizer(folder({ ...optFiles, ...vocab, 'tokenizer.json': t5Like }))
  assert.equal(all.vocabSize, 10)
})

test('a folder without a tokenizer says what was looked for', async () => {
  const lookedFor =
    /: no tokenizer: looked for tokenizer\.json, vocab\.txt, vocab\.json with merges\.txt \(spiece.*\); copy tokenizer\.json/
  await rejects(folder({ 'spiece.model': '' }), '.', lookedFor)
  const { 'merges.txt': _, ...half } = optFiles
  await rejects(folder(half), '.', lookedFor)
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
  await rejects(folder({ ...optFiles, 'added_tokens.json': '{' }), 'added_tokens.json', /not valid JSON/)
  await rejects(folder({ ...optFiles, 'merges.txt': 'c a\nc' }), 'merges.txt', /: line 2: expected two tokens/)
  await rejects(folder({ 'vocab.txt': '[PAD]\n[PAD]' }), 'vocab.txt', /: line 2: "\[PAD\]" is the token of line 1/)
  const binary = folder({})
  writeFileSync(join(binary, 'vocab.txt'), new Uint8Array([0x5b, 0xff, 0x0a]))
  await rejects(binary, 'vocab.txt', /: not UTF-8 text; download it again/)
})
