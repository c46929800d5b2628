/** The command as a user runs it: plan, lines, Ctrl-C, resume, and the model in the other commands. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { stringify } from 'yaml'
import { captionOf, configs, question, writeTinyData, writeTinyModel } from '../training/tiny.ts'
import { blip2, objects } from './cli.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-train-cli-'))
after(() => rmSync(root, { recursive: true }))
before(async () => {
  await writeTinyData(join(root, 'data'))
  await writeTinyModel(join(root, 'retrieval'), 'retrieval')
  await writeTinyModel(join(root, 'opt'), 'opt')
})

const captions = { kind: 'captions', annotations: 'captions.json', images: 'images' }
const picture = join(root, 'data', 'images', '0.png')

/** Writes a recipe for the tiny data and returns its path. */
function recipe(name: string, fields: object): string {
  const file = join(root, `${name}.yaml`)
  const { data, ...rest } = fields as { data?: object }
  const defaults = {
    output: join(root, name),
    batch: 8,
    steps: 6,
    optimiser: {},
    schedule: { peak: 1e-3 },
    log_every: 2,
  }
  writeFileSync(
    file,
    stringify({ ...defaults, data: { root: 'data', train: [captions], max_text_length: 16, ...data }, ...rest }),
  )
  return file
}

const stage1 = (name: string, fields: object = {}) =>
  recipe(name, {
    objective: 'stage1',
    model: { from: ['retrieval'], tokenizer: 'data/bert' },
    data: { validation: [captions] },
    checkpoints: { every: 3 },
    validation_batches: 1,
    examples: 2,
    ...fields,
  })

test('first stage: the plan, a line now and then, and a model that matches', async () => {
  const { code, stdout, stderr } = await blip2(['train', stage1('first'), '--threads', '1'])
  assert.equal(code, 0, stderr)
  assert.match(
    stderr,
    /^objective +stage1 \(itc, itm, itg\)\ntrained +0\.0\d M parameters, 0\.00 M of them fresh\nfrozen /,
  )
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 6) // three of steps, two of validation, and where the model is
  assert.match(
    lines[0]!,
    /^step 2 {2}loss \d\.\d{4} \(itc \d\.\d{3}, itm \d\.\d{3}, itg \d\.\d{3}\) {2}rate \d\.\d\de-4 {2}\S+ samples\/s {2}waiting \d+ % {2}\S+ [MG]B {2}\d+ s left$/,
  )
  assert.match(lines[1]!, /^step 3 {2}validation loss \d\.\d{4} \(itc /)
  assert.equal(lines[5], `The model is in ${join(root, 'first', 'model')}`)
  assert.deepEqual(readdirSync(join(root, 'first')), ['checkpoints', 'log.jsonl', 'model', 'report.html'])

  const model = join(root, 'first', 'model')
  const matched = await blip2(['match', picture, captionOf('red'), captionOf('blue'), '--model', model, '--json'])
  assert.equal(objects(matched).length, 2, matched.stderr)
  const inspected = await blip2(['inspect', model, '--json'])
  assert.equal(inspected.code, 0, inspected.stderr)
})

test('second stage from the first: captions and answers', async () => {
  const file = recipe('second', {
    objective: 'stage2',
    model: { from: ['first/model', 'opt'], tokenizer: 'data/opt', config: configs.opt },
  })
  const { code, stderr, lines } = await blip2(['train', file, '--json', '--threads', '1'])
  assert.equal(code, 0, stderr)
  assert.deepEqual(
    lines.map((line) => Object.keys(JSON.parse(line))[0]),
    ['kind', 'kind', 'kind', 'model'],
  )
  const model = join(root, 'second', 'model')
  for (const args of [
    ['caption', picture],
    ['vqa', picture, question],
    ['inspect', model],
  ]) {
    const flags = args[0] === 'inspect' ? [] : ['--model', model]
    const outcome = await blip2([...args, ...flags, '--json'])
    assert.equal(outcome.code, 0, outcome.stderr)
    assert.equal(objects(outcome).length, 1)
  }
})

test('--json: the lines of the log without their pictures', async () => {
  const outcome = await blip2(['train', stage1('json'), '--json', '--threads', '1', '--steps', '3'])
  assert.equal(outcome.code, 0, outcome.stderr)
  const [step, validation, last] = objects<Record<string, unknown>>(outcome)
  const log = readFileSync(join(root, 'json', 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(step, log[0])
  assert.deepEqual(Object.keys((validation!.examples as object[])[0]!), ['said', 'reference'])
  assert.deepEqual(last, { model: join(root, 'json', 'model') })
})

test('Ctrl-C saves a state, which is neither begun anew nor mixed with another run', async () => {
  const fields = { steps: 400, checkpoints: { every: 400 }, log_every: 1, data: {} }
  const stopped = await blip2(['train', stage1('stopped', fields), '--threads', '1'], {
    onFirstLine: (child) => child.kill('SIGINT'),
  })
  assert.equal(stopped.code, 130, stopped.stderr)
  assert.match(stopped.stderr, /note: stopped; the same command with --resume goes on\n$/)
  const [state] = readdirSync(join(root, 'stopped', 'checkpoints'))
  const done = Number(/^step-(\d{7})$/.exec(state!)![1])
  assert.ok(done >= 1 && done < 400, state)

  const again = await blip2(['train', stage1('stopped', fields), '--threads', '1'])
  assert.equal(again.code, 1)
  assert.match(
    again.stderr,
    new RegExp(
      `^error: output: .*stopped holds a run of ${done} steps; go on with --resume, or choose another folder\n$`,
    ),
  )
  const other = await blip2(['train', stage1('stopped', fields), '--resume', '--steps', String(done + 2)])
  assert.match(other.stderr, /^error: output: .*stopped holds a run of another recipe, or from other weights/)
})

test('killed, the run ends in the middle of its steps, and can be gone on with', async () => {
  const fields = { steps: 400, checkpoints: { every: 400 }, log_every: 1, data: {} }
  const killed = await blip2(['train', stage1('killed', fields), '--threads', '1'], {
    onFirstLine: (child) => child.kill('SIGKILL'),
  })
  assert.equal(killed.signal, 'SIGKILL')
  const lines = () => readFileSync(join(root, 'killed', 'log.jsonl'), 'utf8').split('\n').length
  const then = lines()
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(lines(), then, 'steps went on')
  const again = await blip2(['train', stage1('killed', { ...fields, steps: 2 }), '--threads', '1'])
  assert.equal(again.code, 0, again.stderr)
})

test('mistakes: exit codes and messages, before anything is loaded', async () => {
  const odd = recipe('odd', { objective: 'stage1', model: {}, bacth: 3 })
  const missing = stage1('missing', { data: { train: [{ ...captions, annotations: 'lost.json' }] } })
  writeFileSync(join(root, 'broken.yaml'), 'a: [')
  for (const [args, code, message] of [
    [[join(root, 'lost.yaml')], 1, /^error: .*lost\.yaml: no such file\n$/],
    [[join(root, 'broken.yaml')], 1, /^error: .*broken\.yaml: /],
    [[odd], 1, /^error: .*odd\.yaml: .*"bacth"/],
    [[missing], 1, /^error: data\.train\.0\.annotations: .*data\/lost\.json: no such file or folder\n$/],
    [[missing, '--data', join(root, 'nowhere')], 1, /^error: data\.train\.0\.annotations: .*nowhere\/lost\.json/],
    [[missing, '--steps', '0'], 2, /steps/],
    [[], 2, /missing required argument/],
  ] as const) {
    const outcome = await blip2(['train', ...args])
    assert.equal(outcome.code, code, outcome.stderr)
    assert.match(outcome.stderr, message)
  }
})
