import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { commit, startHub } from '../checkpoints/hub-server.ts'
import { blip2, scene, tiny } from './cli.ts'

test('a model of the hub: progress on standard error, then from the cache, --revision and --offline', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'blip2-home-'))
  t.after(() => rmSync(home, { recursive: true }))
  const files = Object.fromEntries(
    readdirSync(tiny).map((name) => [name, new Uint8Array(readFileSync(join(tiny, name)))]),
  )
  const hub = await startHub(t, files)
  const env = {
    HF_HOME: home,
    HF_HUB_CACHE: join(home, 'hub'),
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: '',
    HF_HUB_OFFLINE: '',
  }
  const caption = (...options: string[]) =>
    blip2(['caption', scene, '--model', 'org/tiny', '--max-new-tokens', '3', ...options], { env })

  const offlineTooEarly = await caption('--offline')
  assert.equal(offlineTooEarly.code, 1)
  assert.match(offlineTooEarly.stderr, /^error: org\/tiny@main: offline, and .* lacks all of it/)
  assert.equal(hub.requests.length, 0)

  const first = await caption()
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.stderr, /^download: .* of \d+\.\d kB\n$/)
  const requests = hub.requests.length
  assert.ok(requests > 0)

  for (const options of [['--offline'], ['--revision', commit]]) {
    const again = await caption(...options)
    assert.equal(again.code, 0, again.stderr)
    assert.equal(again.stdout, first.stdout)
    assert.equal(again.stderr, '')
    assert.equal(hub.requests.length, requests, options.join(' '))
  }
})
