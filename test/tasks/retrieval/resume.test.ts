/** However often a run is killed, and wherever: what comes out at last is what an unbroken run gives, bit for bit. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { retrieve } from '../../../src/tasks/retrieval/node-retrieve.ts'
import { digestedRun, inputs, options } from './digested-run.ts'
import { fakeEncoder } from './fake-encoder.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-resume-'))
after(() => rmSync(root, { recursive: true }))

const script = fileURLToPath(new URL('killed-process.js', import.meta.url))

/** The digest of the result, or undefined where the process killed itself. */
function run(folder: string, calls: number): string | undefined {
  const { stdout, stderr, signal, status } = spawnSync(process.execPath, [script, folder, `${calls}`], {
    encoding: 'utf8',
  })
  if (signal === 'SIGKILL') return undefined
  assert.equal(status, 0, stderr)
  return stdout
}

let unbroken: string
let similarity: Buffer
let allCalls = 0
before(async () => {
  unbroken = await digestedRun(join(root, 'unbroken'), () => {
    allCalls++
  })
  similarity = readFileSync(join(root, 'unbroken.safetensors'))
})

test('killed after every fourth call', () => {
  const folder = join(root, 'often')
  let result: string | undefined
  let runs = 0
  while (result === undefined) {
    assert.ok(++runs < allCalls, 'it gets no further')
    result = run(folder, 4)
  }
  assert.ok(runs >= allCalls / 4, `${runs} runs`)
  assert.equal(result, unbroken)
  assert.deepEqual(readFileSync(`${folder}.safetensors`), similarity)
})

test('killed once, in each of the steps', async () => {
  const calls = { images: 1, texts: 4, similarity: 9, matching: 16, last: allCalls - 1 }
  for (const [step, killedAt] of Object.entries(calls)) {
    const folder = join(root, `once-${step}`)
    assert.equal(run(folder, killedAt), undefined, step)
    assert.ok(existsSync(join(folder, 'retrieval.lock')), 'the lock of the killed process')
    assert.equal(await digestedRun(folder), unbroken, step)
    assert.deepEqual(readFileSync(`${folder}.safetensors`), similarity)
  }
})

test('a batch makes a difference to its items here, so the batches must have been the same', async () => {
  const encoder = fakeEncoder({ noise: 1e-3 })
  const one = await retrieve(encoder, inputs, options)
  const other = await retrieve(encoder, inputs, { ...options, imageBatch: 2 })
  assert.notDeepEqual(one.textsOfImages.score, other.textsOfImages.score)
})

test('the last records torn, damaged or gone, in any file: as a crash of the machine may leave them', async () => {
  const folder = join(root, 'torn')
  await digestedRun(folder)
  const names = ['images.records', 'texts.records', 'matches.records']
  const whole = new Map(names.map((name) => [join(folder, name), readFileSync(join(folder, name))]))
  for (const path of whole.keys()) {
    const { size } = statSync(path)
    for (const length of [size - 1, size - 40, Math.floor(size / 2), 3, 0]) {
      truncateSync(path, length)
      assert.equal(await digestedRun(folder), unbroken, `${path} cut to ${length} of ${size} bytes`)
      assert.deepEqual(readFileSync(path), whole.get(path))
    }
    const damaged = Buffer.from(whole.get(path)!)
    writeFileSync(path, damaged.fill(0, size - 20))
    assert.equal(await digestedRun(folder), unbroken, `${path} ends in zeros`)
    assert.deepEqual(readFileSync(path), whole.get(path))
  }
  for (const path of whole.keys()) truncateSync(path, 100)
  rmSync(join(folder, 'candidates.safetensors'))
  assert.equal(await digestedRun(folder), unbroken, 'most is gone')
})
