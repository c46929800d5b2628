import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { repositoryRoot } from '../support/paths.ts'
import { blip2, scene, tiny } from './cli.ts'

/** Nothing is at this path: a mistake that is found before the model is looked for exits with 2, not with 1. */
const nowhere = join(repositoryRoot, 'no-such-model')

test('wrong usage: exit code 2, one error, nothing loaded', async () => {
  const caption = ['caption', scene, '--model', nowhere]
  const cases: readonly [args: readonly string[], message: RegExp][] = [
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['caption', '--model', nowhere], /missing required argument 'image'/],
    [['vqa', scene, '--model', nowhere], /missing required argument 'question'/],
    [['vqa', scene, ' ', '--model', nowhere], /a question is empty/],
    [['vqa', scene, 'sun?', '--model', nowhere, '--prompt', 'Answer:'], /--prompt: expected \{\}/],
    [['vqa', scene, 'sun?', '--model', nowhere, '--captions', '2'], /unknown option '--captions'/],
    [[...caption, '--beam', '3'], /unknown option '--beam'[\s\S]*Did you mean --beams/],
    [[...caption, '--beams', 'two'], /'--beams <n>' argument 'two' is invalid\. Expected a number/],
    [[...caption, '--beams', '0'], /--beams: expected an integer of at least 1, found 0/],
    [[...caption, '--beams', '1.5'], /--beams: expected an integer of at least 1, found 1\.5/],
    [[...caption, '--captions', '3', '--beams', '2'], /--captions 3 is more than --beams 2; add beams, or --sample/],
    [[...caption, '--top-p', '0.9'], /--top-p 0\.9 has an effect only with --sample/],
    [[...caption, '--sample', '--beams', '3'], /--sample cannot be combined with --beams 3/],
    [[...caption, '--sample', '--top-p', '2'], /--top-p: expected a probability above 0, at most 1, found 2/],
    [[...caption, '--min-new-tokens', '31'], /--min-new-tokens 31 is more than --max-new-tokens 30/],
    [[...caption, '--no-repeat-ngram', '-1'], /--no-repeat-ngram: expected an integer of at least 0/],
    [[...caption, '--threads', '0'], /'--threads <n>' argument '0' is invalid/],
    [[...caption, '--batch', '0'], /'--batch <n>' argument '0' is invalid/],
    [[...caption, '--device', 'gpu'], /Allowed choices are auto, cpu, webgpu, cuda/],
    [['inspect'], /missing required argument 'checkpoint'/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => blip2(args)))
  for (const [i, [args, message]] of cases.entries()) {
    const outcome = outcomes[i]!
    assert.equal(outcome.code, 2, args.join(' '))
    assert.equal(outcome.stdout, '')
    assert.match(outcome.stderr, message)
    assert.equal(outcome.stderr.match(/^error: /gm)?.length, 1, outcome.stderr)
  }
})

test('BLIP2_MODEL stands in for --model, but not when it is empty', async () => {
  const empty = await blip2(['caption', scene], { env: { BLIP2_MODEL: '' } })
  assert.equal(empty.code, 2)
  assert.match(empty.stderr, /^error: --model \(BLIP2_MODEL\) is empty; leave it out for the built-in model/)
  const stated = await blip2(['caption', scene, '--max-new-tokens', '2'], { env: { BLIP2_MODEL: tiny } })
  assert.equal(stated.code, 0, stated.stderr)
})

test('a model that is not there, or cannot be run: exit code 1, and what to do', async () => {
  const [missing, device] = await Promise.all([
    blip2(['caption', scene, '--model', nowhere]),
    blip2(['caption', scene, '--model', tiny, '--device', 'cuda']),
  ])
  assert.deepEqual([missing.code, device.code], [1, 1])
  assert.match(missing.stderr, /^error: .*no-such-model: no such folder or file.*`blip2 models`.*\n$/)
  assert.match(device.stderr, /^error: device cuda: not in this release.*\n$/)
})

test('BLIP2_DEBUG=1 shows where an error came from', async () => {
  const outcome = await blip2(['caption', scene, '--model', nowhere], { env: { BLIP2_DEBUG: '1' } })
  assert.match(outcome.stderr, /^error: CheckpointError: .*\n {4}at /)
})

test('--version and --help', async () => {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))
  const [asked, help, ...commands] = await Promise.all([
    blip2(['--version']),
    blip2(['--help']),
    ...['caption', 'vqa', 'chat', 'inspect', 'models'].map((name) => blip2([name, '--help'])),
  ])
  assert.deepEqual([asked.code, asked.stdout], [0, `${version}\n`])
  for (const outcome of [help, ...commands]) {
    assert.equal(outcome.code, 0)
    assert.match(outcome.stdout, /^Usage: blip2 /)
  }
  for (const outcome of [help, ...commands.slice(0, 4)]) assert.match(outcome.stdout, /\nExamples:\n {2}\S*.*blip2 /)
  const bare = await blip2([])
  assert.equal(bare.code, 2)
  assert.equal(bare.stdout, '')
})
