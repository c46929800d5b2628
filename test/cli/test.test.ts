/** `blip2 test` on the tiny benchmarks with models of random weights: what they say means nothing, but everything runs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeTinyBenchmarks } from '../../scripts/make-tiny-benchmarks.ts'
import { lavisConfig } from '../support/lavis.ts'
import { repositoryRoot } from '../support/paths.ts'
import { blip2, objects, tiny } from './cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-cli-test-'))
const data = join(folder, 'data')
const retrieval = join(folder, 'tiny-retrieval')
before(async () => {
  await makeTinyBenchmarks(data)
  await makeRetrievalModel()
})
after(() => rmSync(folder, { recursive: true }))

/** The first stage of the reference, with a vocabulary of the words of the tiny captions. */
async function makeRetrievalModel(): Promise<void> {
  const reference = join(repositoryRoot, 'test', 'reference', 'lavis-qformer')
  const words =
    `[PAD] [UNK] [CLS] [SEP] [MASK] a the and of on red blue green yellow circle square triangle grass sand snow
    there is to left right two shapes drawing next lies with beside it ,`.split(/\s+/)
  while (words.length < 60) words.push(`[unused${words.length}]`)
  mkdirSync(retrieval)
  copyFileSync(join(reference, 'model.safetensors'), join(retrieval, 'model.safetensors'))
  writeFileSync(join(retrieval, 'config.json'), JSON.stringify(await lavisConfig(reference)))
  writeFileSync(join(retrieval, 'vocab.txt'), words.join('\n'))
}

interface Line {
  readonly config: string
  readonly split: string
  readonly preset: string
  readonly model: string
  readonly measured: Readonly<Record<string, number>>
  readonly published: Readonly<Record<string, number>>
  readonly partial: boolean
  readonly samples: Readonly<Record<string, number>>
  readonly settings: Readonly<Record<string, unknown>>
  readonly seconds: number
  readonly out: string
}

/** The tiny models have images of 28 pixels. */
const args = (config: string, out: string, ...more: string[]) => [
  ...['test', config, config.includes('retrieval') ? retrieval : tiny],
  ...['--data', data, '--image-size', '28', '--out', join(folder, out), ...more],
]

const read = (out: string, file: string) => readFileSync(join(folder, out, file), 'utf8')

const configurations = readdirSync(join(repositoryRoot, 'configs')).map((file) => file.replace('.yaml', ''))

for (const config of configurations) {
  test(`${config}: scores, official results, report`, async () => {
    const outcome = await blip2(args(config, config, '--json', '--batch', '16'))
    assert.equal(outcome.code, 0, outcome.stderr)
    assert.doesNotMatch(outcome.stderr, /warning/i)
    const [line, ...more] = objects<Line>(outcome) as [Line]
    assert.equal(more.length, 0)
    assert.deepEqual(Object.keys(line), [
      ...[
        'config',
        'split',
        'preset',
        'model',
        'measured',
        'published',
        ...(config.includes('qa') ? ['perType'] : []),
        'partial',
        'samples',
        'settings',
        'seconds',
        'out',
      ],
    ])
    const { all, asked, scored } = line.samples
    assert.ok(all === (/qa/.test(config) ? 48 : 12) && asked === all && scored === all)
    assert.deepEqual([line.config, line.partial, line.published], [config, false, {}])
    assert.ok(Object.values(line.measured).length > 0)
    assert.ok(Object.values(line.measured).every((value) => value >= 0 && value <= 1000))

    const results = JSON.parse(read(config, 'results.json'))
    assert.equal((results.image_to_text ?? results).length, all)
    const report = JSON.parse(read(config, 'report.json'))
    assert.deepEqual(
      Object.fromEntries(report.scores.map((row: { metric: string; measured: number }) => [row.metric, row.measured])),
      line.measured,
    )
    assert.ok(report.files.model.length >= 3, 'configuration, weights, tokenizer')
    assert.match(read(config, 'report.html'), /^<!doctype html>[\s\S]*<img src="data:image\/jpeg/)
    assert.deepEqual(
      readdirSync(join(folder, config)).filter((name) => name.endsWith('.tmp') || name === 'work'),
      [],
    )
  })
}

test('without --json: measured beside published', async () => {
  const outcome = await blip2(args('blip2-opt2.7b_3rdparty-zeroshot_vqa', 'table'))
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.match(outcome.stdout, /^VQAv2, zero-shot, val split, preset published, .*tiny-blip2\n\n/)
  assert.match(outcome.stdout, /\n {9}measured {2}published {2}difference\noverall +\d+\.\d\d +53\.50 +[+-]\d+\.\d\d\n/)
  assert.match(outcome.stdout, /results\.json, .*report\.html\n$/)
})

/** 48 questions, one by one. */
const answers = (out: string, ...more: string[]) => args('vqav2', out, '--batch', '1', '--json', ...more)

/** Kills the process as soon as the file has so many lines. */
async function killedAt(lines: number, command: readonly string[], file: string): Promise<NodeJS.Signals | null> {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, ...command], { stdio: 'ignore' })
  const watch = setInterval(() => {
    if (existsSync(file) && readFileSync(file, 'utf8').split('\n').length > lines) child.kill('SIGKILL')
  }, 1)
  return new Promise((resolve) => {
    child.on('close', (_, signal) => {
      clearInterval(watch)
      resolve(signal)
    })
  })
}

test('killed at several moments, with a torn line on top: it goes on, and the results are those of an unbroken run', async () => {
  const whole = await blip2(answers('whole'))
  assert.equal(whole.code, 0, whole.stderr)
  const journal = join(folder, 'killed', 'predictions.jsonl')
  for (const lines of [3, 15]) {
    assert.equal(await killedAt(lines, answers('killed'), journal), 'SIGKILL')
    const found = readFileSync(journal, 'utf8').split('\n').length - 1
    assert.ok(found >= lines && found < 48, `${found} lines`)
    assert.ok(!existsSync(join(folder, 'killed', 'results.json')))
    appendFileSync(journal, '{"id":391895000,"text":"torn')
  }
  const resumed = await blip2(answers('killed'))
  assert.equal(resumed.code, 0, resumed.stderr)
  const [, done] = /predicting: (\d+) of 48/.exec(resumed.stderr) ?? []
  assert.ok(Number(done) >= 15, resumed.stderr)
  for (const file of ['results.json', 'predictions.jsonl', 'manifest.json'])
    assert.equal(read('killed', file), read('whole', file), file)
  const [a, b] = [whole, resumed].map((outcome) => objects<Line>(outcome)[0]!) as [Line, Line]
  assert.deepEqual(b.measured, a.measured)
})

test('retrieval, killed while it matches: the same results', async () => {
  const command = (out: string) => args('coco-retrieval', out, '--json')
  const whole = await blip2(command('retrieval-whole'))
  assert.equal(whole.code, 0, whole.stderr)
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, ...command('retrieval-killed')], { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr.on('data', (chunk) => /matching: 0 of/.test(String(chunk)) && child.kill('SIGKILL'))
  assert.equal(await new Promise((resolve) => child.on('close', (_, signal) => resolve(signal))), 'SIGKILL')
  assert.ok(existsSync(join(folder, 'retrieval-killed', 'work', 'images.records')))
  const resumed = await blip2(command('retrieval-killed'))
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.match(resumed.stderr, /images: 12 of 12/)
  assert.equal(read('retrieval-killed', 'results.json'), read('retrieval-whole', 'results.json'))
  assert.deepEqual(objects<Line>(resumed)[0]!.measured, objects<Line>(whole)[0]!.measured)
})

test('Ctrl-C keeps what is done', async () => {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
  const journal = join(folder, 'stopped', 'predictions.jsonl')
  const child = spawn(process.execPath, [main, ...answers('stopped')], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const watch = setInterval(() => existsSync(journal) && readFileSync(journal).length > 0 && child.kill('SIGINT'), 1)
  const code = await new Promise((resolve) =>
    child.on('close', (exitCode, signal) => {
      clearInterval(watch)
      resolve(exitCode ?? signal)
    }),
  )
  // By the signal itself where a second one came before the first had been heard.
  assert.ok(code === 130 || code === 'SIGINT', String(code))
  assert.doesNotMatch(stderr, /error/)
  if (code === 130) assert.match(stderr, /note: what is done is kept in .*stopped; the same command goes on from there/)
  const kept = readFileSync(journal, 'utf8').split('\n').length - 1
  assert.ok(kept >= 1 && kept < 48)
  const resumed = await blip2(answers('stopped'))
  assert.match(resumed.stderr, new RegExp(`predicting: ${kept} of 48`))
})

test('--limit, --fresh, and a folder of another run', async () => {
  const limited = await blip2(answers('limited', '--limit', '3'))
  const [line] = objects<Line>(limited) as [Line]
  assert.equal(limited.code, 0, limited.stderr)
  assert.deepEqual([line.partial, line.samples], [true, { all: 48, asked: 3, scored: 3 }])
  assert.match(limited.stderr, /note: partial: the first 3 of 48 were asked; these scores cannot be compared/)

  const other = await blip2(answers('limited', '--preset', 'lavis'))
  assert.equal(other.code, 1)
  assert.match(
    other.stderr,
    /^error: .*limited: holds another run; choose another --out, or --fresh to begin again\n {2}settings: /m,
  )
  const fresh = await blip2(answers('limited', '--preset', 'lavis', '--fresh', '--limit', '1'))
  assert.equal(fresh.code, 0, fresh.stderr)
  assert.match(fresh.stderr, /predicting: 0 of 1/)
})

test('a configuration of your own, and what is wrong with one, before a model is loaded', async () => {
  const shipped = readFileSync(join(repositoryRoot, 'configs', 'coco-caption.yaml'), 'utf8')
  const mine = join(folder, 'mine.yaml')
  writeFileSync(
    mine,
    shipped.replaceAll('prompt: a photo of', 'prompt: a red').replaceAll('image_size: 364', 'image_size: 28'),
  )
  const outcome = await blip2([
    'test',
    mine,
    tiny,
    '--data',
    data,
    '--out',
    join(folder, 'mine'),
    '--limit',
    '2',
    '--json',
  ])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.equal(objects<Line>(outcome)[0]!.settings.prompt, 'a red')

  const nowhere = join(folder, 'no-such-model')
  writeFileSync(mine, shipped.replace('beams: 5', 'beams: some').replace('title:', 'titel:'))
  const broken = await blip2(['test', mine, nowhere])
  assert.equal(broken.code, 1)
  assert.deepEqual(broken.stderr.split('\n').slice(0, 3), [
    `error: ${mine}: title: expected a text, found nothing`,
    `${mine}: presets.paper.beams: expected a positive integer, found "some"`,
    `${mine}: titel: there is no such field`,
  ])
})

test('wrong usage and missing files, before a model is loaded', async () => {
  const nowhere = join(folder, 'no-such-model')
  const cases: readonly [args: readonly string[], code: number, message: RegExp][] = [
    [['test'], 2, /missing required argument 'config'/],
    [['test', 'vqav2', nowhere, '--split', 'dev'], 2, /error: vqav2: split dev: this configuration has val, test-dev/],
    [['test', 'vqav2', nowhere, '--limit', '0'], 2, /'--limit <n>' argument '0' is invalid/],
    [['test', 'imagenet'], 1, /imagenet: there is no such configuration; there are coco-caption, /],
    [
      ['test', 'gqa', nowhere, '--data', folder],
      1,
      /testdev_balanced_questions\.json\n {4}from https:.*questions1\.2\.zip/,
    ],
    [['test', 'gqa', nowhere, '--data', data], 1, /no-such-model: no such folder or file/],
  ]
  const outcomes = await Promise.all(cases.map(([command]) => blip2(command)))
  for (const [i, [command, code, message]] of cases.entries()) {
    assert.equal(outcomes[i]!.code, code, command.join(' '))
    assert.match(outcomes[i]!.stderr, message)
    assert.equal(outcomes[i]!.stdout, '')
  }
  const fromEnvironment = await blip2(['test', 'gqa', nowhere], { env: { BLIP2_DATA: join(folder, 'elsewhere') } })
  assert.match(fromEnvironment.stderr, /elsewhere\/gqa\/annotations/)
})
