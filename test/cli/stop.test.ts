import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blip2, objects, scene, tiny } from './cli.ts'

/** More than will be captioned before the signal arrives. */
const many = Array<string>(1000).fill(scene)
const caption = ['caption', ...many, '--model', tiny, '--json']

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal}: finished captions are kept, exit code ${code}`, async () => {
    const outcome = await blip2(caption, { onFirstLine: (child) => child.kill(signal) })
    assert.equal(outcome.code, code, outcome.stderr)
    const finished = objects(outcome)
    assert.ok(finished.length > 0 && finished.length < many.length, `${finished.length} lines`)
    for (const line of finished) assert.ok('pred_caption' in line)
    assert.doesNotMatch(outcome.stderr, /error/i)
  })
}

test('a second SIGINT ends the process at once', async () => {
  const outcome = await blip2(caption, {
    onFirstLine(child) {
      child.kill('SIGINT')
      const again = setInterval(() => child.kill('SIGINT'), 1)
      child.on('exit', () => clearInterval(again))
    },
  })
  // By the signal, unless the process had ended by itself before it came.
  assert.ok(outcome.signal === 'SIGINT' || outcome.code === 130, `${outcome.code} ${outcome.signal}`)
})

test('SIGINT while chat waits for a question', async () => {
  const outcome = await blip2(['chat', scene, '--model', tiny, '--max-new-tokens', '2'], {
    input: 'sun?\n',
    keepOpen: true,
    onFirstLine: (child) => child.kill('SIGINT'),
  })
  assert.equal(outcome.code, 130, outcome.stderr)
  assert.equal(outcome.lines.length, 1)
})

test('a reader that goes away (| head) ends the run without a word', async () => {
  const outcome = await blip2(caption, { onFirstLine: (child) => child.stdout.destroy() })
  assert.equal(outcome.code, 0)
  assert.equal(outcome.stderr, '')
})
