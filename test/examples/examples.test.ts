import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scene, tiny } from '../cli/cli.ts'
import { repositoryRoot } from '../support/paths.ts'

/** What a compiled script of this repository prints, which must end well. */
function start(script: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const path = fileURLToPath(new URL(`../../${script}`, import.meta.url))
  return promisify(execFile)(process.execPath, [path, ...args], { cwd: repositoryRoot })
}

/** Its standard output alone; it must say nothing on standard error. */
async function run(script: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await start(script, ...args)
  assert.equal(stderr, '')
  return stdout
}

test('examples/caption.ts', async () => {
  const output = await run('examples/caption.js', tiny, scene, scene)
  const [first, second, end] = output.split('\n')
  assert.ok(first?.startsWith(`${scene}: `), output)
  assert.deepEqual([second, end], [first, ''])
})

test('examples/questions.ts', async () => {
  const output = await run('examples/questions.js', tiny, scene, 'What is this?', 'Where is the boat?')
  assert.match(output, /^What is this\? .*\([\d.]+ ms\)\nWhere is the boat\? .*\([\d.]+ ms\)\n$/)
})

test('examples/stream.ts', async () => {
  const output = await run('examples/stream.js', tiny, scene, 'a photo of')
  assert.match(output, /\S/)
})

test('without arguments: the built-in model and a scene of the demo', async () => {
  const [caption, questions, stream] = await Promise.all([
    run('examples/caption.js'),
    run('examples/questions.js'),
    run('examples/stream.js'),
  ])
  assert.match(caption, /^examples\/demo\/scenes\/1\.png: \w+.*\n$/)
  assert.match(questions, /^what is the blue thing\? \w.*\nhow many triangles are there\? \w.*\n$/)
  assert.match(stream, /\w/)
})

test('the demo', async () => {
  const { stdout, stderr } = await start('scripts/demo.js')
  assert.match(
    stdout,
    /^A scene that .*examples\/demo\/scenes\/3\.png:\n\nIt was drawn as: a little green square in the bottom left, /,
  )
  assert.match(stdout, /\$ npx blip2 caption (\S+)\n\1: \w/)
  assert.match(stdout, /\$ npx blip2 vqa .*\nwhat colour is the square\? \w.*\n(?:.*\? \w.*\n){5}/)
  assert.match(stdout, /\$ npx blip2 match .*\n(?:\S+: +[\d.]+ % match, similarity .*\n){4}/)
  assert.match(stdout, /\$ npx blip2 retrieve .*\nexamples\/demo\/scenes\/1\.png\n/)
  assert.match(stdout, /--model Salesforce\/blip2-opt-2\.7b\n$/)
  assert.doesNotMatch(stderr, /note|error/, 'scenes are no photos')
})
