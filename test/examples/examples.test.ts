import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scene, tiny } from '../cli/cli.ts'

/** Standard output of a compiled script of this repository, which must end well and say nothing on standard error. */
async function run(script: string, ...args: string[]): Promise<string> {
  const path = fileURLToPath(new URL(`../../${script}`, import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [path, ...args])
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

test('the demo', async () => {
  const output = await run('scripts/demo.js')
  assert.match(output, /WHAT IT SAYS MEANS NOTHING/)
  assert.match(output, /\$ npx blip2 caption examples\/demo\/scene\.png .*\nexamples\/demo\/scene\.png: \S/)
  assert.match(output, /\$ npx blip2 vqa .*\nWhat is in the picture\? \S/)
  assert.match(output, /--model Salesforce\/blip2-opt-2\.7b/)
})
