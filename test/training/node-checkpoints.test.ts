import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readTensor } from '../../src/checkpoints/node.ts'
import type { TensorToWrite } from '../../src/checkpoints/node-write.ts'
import { CheckpointError } from '../../src/errors.ts'
import { bestRun, lastRun, openRun, pruneRuns, type RunState, saveRun } from '../../src/training/node-checkpoints.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-states-'))
after(() => rmSync(root, { recursive: true }))

const state = (step: number, validation_loss: number | null = null): RunState => ({
  step,
  next: 8 * step,
  validation_loss,
  identity: 'this run',
  meter: { seconds: 1, computing: 2, waiting: 3, samples: 4, steps: 5, parts: 6, losses: { loss: 7 }, norms: 8 },
  encoder_seconds: null,
})

const tensor = (name: string, ...values: number[]): TensorToWrite => ({
  name,
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
})

const tensors = (step: number) => ({
  weights: [tensor('a.weight', step, 2), tensor('b', 3)],
  moments: [tensor('exp_avg.b', step), tensor('exp_avg_sq.b', 5)],
})

/** Saves states with these validation losses, by step. */
async function saved(name: string, losses: Readonly<Record<number, number | null>>): Promise<string> {
  const folder = join(root, name)
  for (const [step, loss] of Object.entries(losses))
    await saveRun(folder, state(Number(step), loss), tensors(Number(step)))
  return folder
}

test('a state comes back whole: numbers, weights, moments', async () => {
  const folder = await saved('whole', { 5: null, 10: 2.5 })
  const run = await lastRun(folder)
  assert.ok(run)
  const { folder: place, weights, moments, ...rest } = run
  assert.deepEqual(rest, state(10, 2.5))
  assert.equal(place, join(folder, 'step-0000010'))
  assert.deepEqual([...weights.tensors.keys()].sort(), ['a.weight', 'b'])
  assert.deepEqual(await readTensor(weights.tensors.get('a.weight')!), Float32Array.of(10, 2))
  assert.deepEqual(await readTensor(moments.tensors.get('exp_avg.b')!), Float32Array.of(10))
  assert.deepEqual(readdirSync(folder).sort(), ['step-0000005', 'step-0000010'])
})

test('none yet: no folder, an empty one, other things in it', async () => {
  const folder = join(root, 'none')
  assert.equal(await lastRun(folder), undefined)
  assert.equal(await bestRun(folder), undefined)
  mkdirSync(join(folder, 'step-12'), { recursive: true })
  writeFileSync(join(folder, 'notes.txt'), '')
  assert.equal(await lastRun(folder), undefined)
  await pruneRuns(folder, 1)
  assert.deepEqual(readdirSync(folder).sort(), ['notes.txt', 'step-12'])
})

test('the last one is the one of most steps, also beyond seven digits', async () => {
  const folder = await saved('digits', { 9999999: null, 10000000: null })
  assert.equal((await lastRun(folder))?.step, 10_000_000)
})

test('a state that is there stays', async () => {
  const folder = await saved('again', { 3: 1 })
  assert.equal(await saveRun(folder, state(3, 7), tensors(99)), join(folder, 'step-0000003'))
  const run = await lastRun(folder)
  assert.equal(run?.validation_loss, 1)
  assert.deepEqual(await readTensor(run!.weights.tensors.get('a.weight')!), Float32Array.of(3, 2))
})

test('prune keeps the last ones and the best one, the earlier of two', async () => {
  const losses = { 1: 3, 2: 1, 3: null, 4: 1, 5: 2, 6: null, 7: 9 }
  for (const [keep, expected] of [
    [1, [2, 7]],
    [2, [2, 6, 7]],
    [6, [2, 3, 4, 5, 6, 7]],
    [7, [1, 2, 3, 4, 5, 6, 7]],
    [20, [1, 2, 3, 4, 5, 6, 7]],
  ] as const) {
    const folder = await saved(`keep ${keep}`, losses)
    assert.deepEqual(await bestRun(folder), { step: 2, validation_loss: 1 })
    await pruneRuns(folder, keep)
    assert.deepEqual(
      readdirSync(folder).sort(),
      expected.map((step) => `step-000000${step}`),
    )
  }
  const never = await saved('never validated', { 1: null, 2: null, 3: null })
  await pruneRuns(never, 1)
  assert.deepEqual(readdirSync(never), ['step-0000003'])
})

test('a state that fails to be written leaves nothing', async () => {
  const folder = await saved('fails', { 1: null })
  async function* failing() {
    yield new Uint8Array(2)
    throw new Error('the device is lost')
  }
  const weights = [{ name: 'a', dtype: 'F32', shape: [1], data: failing() } as const]
  await assert.rejects(saveRun(folder, state(2), { weights, moments: [] }), /the device is lost/)
  const wrong = [{ name: 'a', dtype: 'F32', shape: [2], data: new Uint8Array(4) } as const]
  await assert.rejects(saveRun(folder, state(2), { weights: wrong, moments: [] }), CheckpointError)
  assert.deepEqual(readdirSync(folder), ['step-0000001'])
  writeFileSync(join(root, 'a file'), '')
  await assert.rejects(
    saveRun(join(root, 'a file'), state(2), tensors(2)),
    (error) => error instanceof CheckpointError && /a file/.test(error.message),
  )
})

test('a damaged state says so, and what to do', async () => {
  const folder = await saved('damaged', { 1: null, 2: null })
  const last = join(folder, 'step-0000002')
  const advice = new RegExp(`; delete ${last} to go on from the state before$`)
  const damaged = (error: unknown) => {
    assert.ok(error instanceof CheckpointError, String(error))
    assert.match(error.message, advice)
    return true
  }
  truncateSync(join(last, 'moments.safetensors'), 20)
  await assert.rejects(lastRun(folder), damaged)
  writeFileSync(join(last, 'state.json'), '{"step"')
  await assert.rejects(lastRun(folder), /state\.json: not JSON: /)
  rmSync(join(last, 'state.json'))
  await assert.rejects(openRun(last), damaged)
  assert.deepEqual(await bestRun(folder), undefined)
  rmSync(last, { recursive: true })
  assert.equal((await lastRun(folder))?.step, 1)
})

test('killed while it writes or prunes: what has the name of a state is whole, the rest goes with the next run', async () => {
  const folder = join(root, 'killed')
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
  const script = `
    import { lastRun, pruneRuns, saveRun } from ${url('../../src/training/node-checkpoints.js')}
    const folder = ${JSON.stringify(folder)}
    for (let step = ((await lastRun(folder))?.step ?? 0) + 1; ; step++) {
      const data = new Float32Array(5e5).fill(step)
      const tensor = (name) => [{ name, dtype: 'F32', shape: [data.length], data }]
      await saveRun(folder, { step, validation_loss: null }, { weights: tensor('w'), moments: tensor('m') })
      console.log(step)
      await pruneRuns(folder, 2)
    }`
  let reached = 0
  for (const wait of [0, 1, 3, 7, 15, 30]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await new Promise((done) => setTimeout(done, wait))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const states = readdirSync(folder).filter((name) => name.startsWith('step-'))
    assert.ok(states.length > 0)
    for (const name of states) {
      const run = await openRun(join(folder, name))
      for (const [stored, tensor] of [
        [run.weights, 'w'],
        [run.moments, 'm'],
      ] as const) {
        const values = (await readTensor(stored.tensors.get(tensor)!)) as Float32Array
        assert.ok(values.length === 5e5 && values.every((value) => value === run.step), name)
      }
    }
    const last = (await lastRun(folder))?.step ?? 0
    assert.ok(last > reached, `${last} after ${reached}`)
    reached = last
  }
  await saveRun(folder, state(reached + 1), tensors(1))
  await pruneRuns(folder, 1)
  assert.deepEqual(readdirSync(folder), [`step-${String(reached + 1).padStart(7, '0')}`])
})
