/** The command around the retrieval: its files, its output, its errors. test/tasks/retrieval has the retrieval itself. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Output } from '../../src/cli/output.ts'
import { readInputs } from '../../src/cli/retrieve/inputs.ts'
import { retrieveWith } from '../../src/cli/retrieve/run.ts'
import type { RetrieveFlags } from '../../src/cli/retrieve.ts'
import type { Blip2 } from '../../src/tasks/blip2.ts'
import { lavisConfig } from '../support/lavis.ts'
import { referenceDir, repositoryRoot } from '../support/paths.ts'
import { fakeEncoder } from '../tasks/retrieval/fake-encoder.ts'
import { blip2, tiny } from './cli.ts'

const cliMain = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'blip2-cli-retrieve-'))
after(() => rmSync(folder, { recursive: true }))

const photos = join(folder, 'photos')
const fixtures = join(repositoryRoot, 'test', 'images', 'fixtures')
/** By their paths' characters: Z before a, and the last one behind those that JavaScript's own order puts after it. */
const names = ['Z.jpg', 'a/3.PNG', 'b.png', '\uff5e.jpg', '\u{1f600}.jpg']
mkdirSync(join(photos, 'a'), { recursive: true })
const sources = ['rgb.jpg', 'column.png', 'dot.png', 'exif-1.jpg', 'cmyk.jpg'].map((name) => join(fixtures, name))
names.forEach((name, i) => {
  copyFileSync(sources[i]!, join(photos, name))
})
writeFileSync(join(photos, 'notes.txt'), 'no image')
writeFileSync(join(photos, '._Z.jpg'), 'hidden')
const paths = names.map((name) => join(photos, name))

function file(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const queries = file('queries.txt', '\ufeffA dog, running!\r\ntwo cats\nthe sea\n')
const texts = ['A dog, running!', 'two cats', 'the sea']

test('images: a folder by path, or a list', async () => {
  assert.deepEqual((await readInputs({ images: photos, texts: queries })).images, paths)
  const list = file('list.json', ['photos/b.png', 'https://example.org/x.jpg', 'photos/Z.jpg'])
  const { images, pairs } = await readInputs({ images: list, texts: queries })
  assert.deepEqual(images, [paths[2], 'https://example.org/x.jpg', paths[0]])
  assert.equal(pairs, undefined)
  symlinkSync(photos, join(folder, 'link'))
  assert.equal((await readInputs({ images: join(folder, 'link'), texts: queries })).images.length, names.length)
})

test('texts: lines, a list, or a file that names the images too', async () => {
  assert.deepEqual((await readInputs({ images: photos, texts: queries })).texts, texts)
  assert.deepEqual((await readInputs({ images: photos, texts: file('texts.json', texts) })).texts, texts)
  const split = file('split.json', [
    { image: 'b.png', caption: ['two cats'] },
    { image: 'Z.jpg', caption: ['a', 'b'] },
  ])
  assert.deepEqual(await readInputs({ images: photos, texts: split }), {
    images: [paths[2], paths[0]],
    texts: ['two cats', 'a', 'b'],
    pairs: { textsOfImages: [[0], [1, 2]], imageOfTexts: [0, 1, 1] },
  })
  const groundTruth = file('truth.json', { txt2img: [0, 1, 2] })
  const three = file('three.json', ['photos/b.png', 'photos/Z.jpg', 'photos/a/3.PNG'])
  const { pairs } = await readInputs({ images: three, texts: queries, groundTruth })
  assert.deepEqual(pairs?.textsOfImages, [[0], [1], [2]])
})

test('files that are missing or do not go together', async () => {
  const split = file('split2.json', [{ image: 'b.png', caption: ['x'] }])
  const list = file('list2.json', ['b.png'])
  const truth = file('truth2.json', { txt2img: [0] })
  mkdirSync(join(folder, 'empty'))
  const cases: readonly [Parameters<typeof readInputs>[0], RegExp][] = [
    [{ images: join(folder, 'nope'), texts: queries }, /nope: expected a folder of images, or a \.json list of paths/],
    [{ images: paths[0]!, texts: queries }, /Z\.jpg: expected a folder of images/],
    [{ images: join(folder, 'empty'), texts: queries }, /empty: expected images \(JPEG, .*found none below it/],
    [{ images: file('none.json', []), texts: queries }, /none\.json: expected paths of images, found an empty list/],
    [{ images: file('odd.json', [3]), texts: queries }, /odd\.json\[0\]: expected a text, found 3/],
    [{ images: photos, texts: join(folder, 'nope.txt') }, /nope\.txt: cannot be read: ENOENT/],
    [
      { images: photos, texts: file('blank.txt', 'a\n\nb\n') },
      /blank\.txt:2: expected a text on every line, found none/,
    ],
    [
      { images: photos, texts: file('empty.txt', '') },
      /empty\.txt: expected a text on every line, found an empty file/,
    ],
    [{ images: photos, texts: file('empty.json', []) }, /empty\.json: expected texts, found none/],
    [{ images: list, texts: split }, /list2\.json: \S+split2\.json names the images; give --images the folder/],
    [
      { images: photos, texts: split, groundTruth: truth },
      /truth2\.json: \S+split2\.json says already which .*leave --ground-truth out/,
    ],
    [{ images: photos, texts: queries, groundTruth: truth }, /truth2\.json: txt2img: expected 3 entries/],
  ]
  for (const [flags, message] of cases) await assert.rejects(readInputs(flags), message)
})

const flags: RetrieveFlags = {
  images: photos,
  texts: queries,
  model: folder,
  device: 'cpu',
  k: 3,
  rule: 'lavis',
  top: 2,
  batch: 2,
  textBatch: 2,
  features: 'float16',
  clean: true,
  exif: true,
  work: join(folder, 'work'),
}

interface Printed {
  readonly objects: Record<string, unknown>[]
  readonly text: string
  readonly failures: object[]
  readonly notes: string[]
  readonly steps: Set<string>
}

/** What the command does with a model that is not one. */
async function run(
  more: { [K in keyof RetrieveFlags]?: RetrieveFlags[K] | undefined } = {},
  encoder = fakeEncoder(),
): Promise<Printed> {
  const printed = {
    objects: [] as Record<string, unknown>[],
    texts: [] as string[],
    failures: [] as object[],
    notes: [] as string[],
  }
  const steps = new Set<string>()
  const output: Output = {
    result(object, text) {
      printed.objects.push(object as Record<string, unknown>)
      printed.texts.push(text)
    },
    failure: (_, ...inputs) => printed.failures.push(...inputs),
    note: (text) => printed.notes.push(text),
    progress: (step) => steps.add(step),
    status() {},
    clear() {},
  }
  const all = { ...flags, ...more } as RetrieveFlags
  const model = { name: 'fake', retrieval: encoder } as Blip2
  try {
    await retrieveWith(model, await readInputs(all), all, output, new AbortController().signal)
  } catch (error) {
    throw Object.assign(error as Error, { notes: printed.notes })
  }
  return { ...printed, text: printed.texts.join('\n'), steps }
}

test('a line per image, then one per text, with the fields of the contract; nothing is left behind', async () => {
  const { objects, text, steps } = await run()
  assert.equal(objects.length, names.length + texts.length)
  const [first] = objects as { image: string; texts: Record<string, unknown>[] }[]
  assert.deepEqual(Object.keys(first!), ['image', 'texts'])
  assert.deepEqual(Object.keys(first!.texts[0]!), ['text', 'itc', 'itm', 'score'])
  assert.deepEqual(
    objects.slice(0, 5).map(({ image }) => image),
    paths,
  )
  assert.deepEqual(
    objects.slice(5).map(({ text: query }) => query),
    texts,
  )
  const last = objects.at(-1) as { images: Record<string, unknown>[] }
  assert.deepEqual(Object.keys(last), ['text', 'images'])
  assert.deepEqual(Object.keys(last.images[0]!), ['image', 'itc', 'itm', 'score'])
  assert.equal(last.images.length, 2)
  assert.ok((last.images[0]!.score as number) >= (last.images[1]!.score as number))
  assert.match(text, /Z\.jpg\n +score +itc +itm {2}text\n +-?\d+\.\d{3} +-?0\.\d{3} +[01]\.\d{3} {2}\S/)
  assert.deepEqual(
    [...steps],
    ['encoding images', 'encoding texts', 'comparing all images with all texts', 'matching pairs'],
  )
  assert.ok(!existsSync(flags.work!))
})

test('texts are read clean, or as they are with --no-clean; shown as they were', async () => {
  const seen: string[][] = []
  const fake = fakeEncoder()
  const encoder: typeof fake = {
    ...fake,
    encodeTexts(some) {
      seen.push([...some])
      return fake.encodeTexts(some)
    },
  }
  const { objects } = await run({}, encoder)
  await run({ clean: false }, encoder)
  assert.deepEqual(seen.flat(), ['a dog, running', 'two cats', 'the sea', ...texts])
  assert.equal(objects[5]!.text, 'A dog, running!')
})

test('recall, where it is known which belong together', async () => {
  const split = file(
    'split3.json',
    names.map((image, i) => ({ image, caption: [`text ${i}`, `words ${i}`] })),
  )
  const { objects, text } = await run({ texts: split, k: 128 })
  const { txt_r10, img_r10, images, texts: count, k, rule } = objects.at(-1)!
  assert.deepEqual(
    { txt_r10, img_r10, images, count, k, rule },
    { txt_r10: 100, img_r10: 100, images: 5, count: 10, k: 128, rule: 'lavis' },
  )
  assert.match(text, /txt_r1 +\d+\.\d{2}\n/)
})

test('--out has everything, --similarity the first stage; --keep-work keeps the work', async () => {
  const out = join(folder, 'result.json')
  const similarity = join(folder, 'similarity.safetensors')
  const { objects } = await run({ out, similarity, work: undefined, keepWork: true })
  assert.deepEqual(objects, [])
  const result = JSON.parse(readFileSync(out, 'utf8'))
  assert.deepEqual(Object.keys(result), ['model', 'k', 'rule', 'pairs', 'unreadable', 'images', 'texts'])
  const printed = (await run()).objects
  assert.deepEqual([...result.images, ...result.texts], JSON.parse(JSON.stringify(printed)))
  assert.ok(existsSync(similarity))
  assert.ok(readdirSync(`${out}.work`).includes('retrieval.json'))
})

test('a run that fails says where its work is, and the same command goes on', async () => {
  const fake = fakeEncoder()
  const failing = { ...fake, matchLogits: () => Promise.reject(new Error('out of power')) }
  await assert.rejects(run({}, failing), (error: Error & { notes?: string[] }) => {
    assert.match(error.message, /out of power/)
    return /what was done so far is in \S+work; the same command/.test(error.notes![0]!)
  })
  assert.ok(existsSync(flags.work!))
  const never = { ...fake, encodeImages: () => assert.fail('encoded again') }
  assert.deepEqual((await run({}, never)).objects, (await run()).objects)

  await assert.rejects(run({}, failing))
  await assert.rejects(run({ k: 2 }), /this is the work of another run: k was 3, is 2.*--fresh/)
  assert.equal((await run({ k: 2, fresh: true })).objects.length, 8)
})

test('another model, or other settings of it, is another run', async () => {
  const modelFolder = join(folder, 'model')
  mkdirSync(modelFolder)
  writeFileSync(join(modelFolder, 'model.safetensors'), 'weights')
  const settings = { model: modelFolder, keepWork: true, work: join(folder, 'work2') }
  await run(settings)
  await run(settings)
  await assert.rejects(run({ ...settings, device: 'cuda' }), /model was .*cpu.*, is .*cuda/)
  writeFileSync(join(modelFolder, 'model.safetensors'), 'other weights')
  await assert.rejects(run(settings), /model was /)
})

test('images that cannot be read', async () => {
  const list = file('list3.json', ['photos/b.png', 'photos/notes.txt', 'photos/Z.jpg'])
  await assert.rejects(run({ images: list }), /notes\.txt: expected a JPEG, .*--skip-unreadable/)
  const { objects, failures } = await run({ images: list, skipUnreadable: true })
  assert.deepEqual(failures, [{ image: join(photos, 'notes.txt') }])
  assert.deepEqual(
    objects.slice(0, 2).map(({ image }) => image),
    [paths[2], paths[0]],
  )
  assert.equal(objects.length, 5)
})

/**
 * A first-stage model of the reference (LAVIS, random weights) with a vocabulary made up for it: its answers mean nothing, but they are
 * computed as those of a real one.
 */
async function tinyRetrievalModel(): Promise<string> {
  const model = join(folder, 'tiny-retrieval')
  if (existsSync(model)) return model
  const reference = join(referenceDir, 'lavis-qformer')
  const letters = Array.from('abcdefghijklmnopqrstuvwxyz')
  const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...letters, ...letters.map((letter) => `##${letter}`)]
  mkdirSync(model)
  copyFileSync(join(reference, 'model.safetensors'), join(model, 'model.safetensors'))
  writeFileSync(join(model, 'config.json'), JSON.stringify(await lavisConfig(reference)))
  writeFileSync(join(model, 'vocab.txt'), words.join('\n'))
  return model
}

/** Ends the process with SIGKILL when it writes `said` to standard error. Its exit code, or null where it was ended in time. */
function killedWhen(said: string, args: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [cliMain, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr.on('data', (chunk) => {
    if (String(chunk).includes(said)) child.kill('SIGKILL')
  })
  return new Promise((resolve) => {
    child.on('close', resolve)
  })
}

test('the whole command, killed in each step and started again: the same as unbroken', async () => {
  const model = await tinyRetrievalModel()
  // Enough work to be killed in the middle of it.
  const many = file(
    'many.json',
    Array.from({ length: 60 }, (_, i) => `photos/${names[i % 3]}`),
  )
  const words = file(
    'many.txt',
    Array.from({ length: 90 }, (_, i) => `${(i * i).toString(26)} dogs and ${i}`).join('\n'),
  )
  const command = [
    'retrieve',
    '--images',
    many,
    '--texts',
    words,
    '--model',
    model,
    '--json',
    '--k',
    '30',
    '--batch',
    '4',
  ]
  const unbroken = await blip2([...command, '--work', join(folder, 'unbroken')])
  assert.equal(unbroken.code, 0, unbroken.stderr)
  assert.equal(unbroken.lines.length, 60 + 90)

  const broken = [...command, '--work', join(folder, 'broken')]
  const codes: (number | null)[] = []
  for (const step of ['encoding images', 'encoding texts', 'comparing', 'matching']) {
    codes.push(await killedWhen(step, broken))
  }
  assert.ok(codes.includes(null), 'it was never killed in time')
  const resumed = await blip2(broken)
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.deepEqual(resumed.lines, unbroken.lines)
  assert.ok(!existsSync(join(folder, 'broken')))
})

test('Ctrl-C: exit code 130, and where the work is', async () => {
  const model = await tinyRetrievalModel()
  const many = file(
    'more.json',
    Array.from({ length: 400 }, () => 'photos/b.png'),
  )
  const work = join(folder, 'stopped')
  const child = spawn(process.execPath, [
    cliMain,
    'retrieve',
    '--images',
    many,
    '--texts',
    queries,
    '--model',
    model,
    '--work',
    work,
  ])
  let said = ''
  child.stderr.on('data', (chunk) => {
    if (said === '') child.kill('SIGINT')
    said += chunk
  })
  const code = await new Promise((resolve) => {
    child.on('close', resolve)
  })
  assert.equal(code, 130, said)
  assert.match(said, /note: what was done so far is in \S+stopped; the same command/)
  assert.ok(existsSync(join(work, 'images.records')))
  assert.ok(!existsSync(join(work, 'retrieval.lock')))
})

test('wrong usage: exit code 2; files and models that will not do: exit code 1', async () => {
  const retrieve = ['retrieve', '--images', photos, '--texts', queries, '--model', tiny]
  const cases: readonly [args: string[], code: number, message: RegExp][] = [
    [['retrieve', '--texts', queries], 2, /required option '--images <path>' not specified/],
    [['retrieve', '--images', photos], 2, /required option '--texts <file>' not specified/],
    [['retrieve', '--images', photos, '--texts', queries, '--model', ''], 2, /--model \(BLIP2_MODEL\) is empty/],
    [[...retrieve, '--k', '0'], 2, /'--k <n>' argument '0' is invalid/],
    [[...retrieve, '--rule', 'best'], 2, /Allowed choices are lavis, paper/],
    [[...retrieve, '--features', 'int8'], 2, /Allowed choices are float16, float32/],
    [['retrieve', '--images', join(folder, 'nope'), '--texts', queries, '--model', tiny], 1, /nope: expected a folder/],
    [retrieve, 1, /^error: retrieval: \S+tiny-blip2 is a model for captions and answers/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => blip2(args)))
  for (const [i, [args, code, message]] of cases.entries()) {
    assert.equal(outcomes[i]!.code, code, `${args.join(' ')}: ${outcomes[i]!.stderr}`)
    assert.match(outcomes[i]!.stderr, message)
    assert.equal(outcomes[i]!.stdout, '')
  }
  const help = await blip2(['retrieve', '--help'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /\nExamples:\n {2}blip2 retrieve /)
})
