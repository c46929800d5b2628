import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { drawPicture } from '../../scenes/draw.ts'
import { side, unseenKinds, writeDataset } from '../../scenes/node-dataset.ts'
import { drawScene } from '../../scenes/world.ts'
import { openSource, type SourceSpec } from '../../src/data/node-sources.ts'
import type { Sample } from '../../src/data/sample.ts'
import { DataError } from '../../src/errors.ts'
import { decodeImage } from '../../src/images/node.ts'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { blip2, objects } from '../cli/cli.ts'
import { collect } from '../data/collect.ts'
import { assertTrueOf, naiveAnswer } from './naive.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-scenes-'))
after(() => rmSync(root, { recursive: true }))

const sizes = { train: 70, single: 6, validation: 5, test: 40, novel: 30, texts: 25 }
const folder = join(root, 'scenes')
const told: number[] = []
await writeDataset(folder, sizes, (done) => told.push(done))

const parts = ['train', 'single', 'validation', 'test', 'novel'] as const
const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))

async function samplesOf(spec: SourceSpec): Promise<Sample[]> {
  const source = await openSource(spec, folder)
  return (await collect(source.pass(0, { seed: 1, skip: 0 }))).sort((a, b) =>
    (a.imageKey ?? '') < (b.imageKey ?? '') ? -1 : 1,
  )
}

const captionsOf = (part: string) =>
  samplesOf({ kind: 'captions', annotations: `captions_${part}.json`, images: 'images' })
const questionsOf = (part: string) =>
  samplesOf({
    kind: 'vqa',
    questions: `questions_${part}.json`,
    annotations: `answers_${part}.json`,
    images: 'images',
    image_name: `${part}_{:06}.png`,
  })

test('our own readers read it: every part with its pictures, five captions each, questions and texts', async () => {
  for (const part of parts) {
    const samples = await captionsOf(part)
    assert.equal(samples.length, sizes[part])
    for (const { texts, image } of samples) {
      assert.equal(texts.length, 5)
      const decoded = await decodeImage(image as string)
      assert.deepEqual([decoded.width, decoded.height], [side, side])
    }
    const names = readdirSync(join(folder, 'images')).filter((name) => name.startsWith(part))
    assert.equal(names.length, sizes[part])
  }
  assert.equal((await samplesOf({ kind: 'text', file: 'texts.jsonl' })).length, sizes.texts)
  assert.deepEqual(told.at(-1), 151)
})

test('descriptions: the first caption of each scene, which tells everything', async () => {
  for (const part of parts) {
    const spec = { kind: 'captions', annotations: `descriptions_${part}.json`, images: 'images' } as const
    const [captions, descriptions] = [await captionsOf(part), await samplesOf(spec)]
    assert.deepEqual(
      descriptions.map(({ texts }) => texts),
      captions.map(({ texts }) => texts.slice(0, 1)),
    )
    for (const { texts } of descriptions) assert.match(texts.join(), / on a \w+ background$/)
  }
})

test('the pictures of one thing show the first of a training scene', async () => {
  const pictures = (await captionsOf('single')).map(({ image }) => image as string)
  for (const [i, image] of pictures.entries()) {
    const scene = drawScene(6, 'train', i)
    const alone = { ...scene, things: scene.things.slice(0, 1) }
    assert.deepEqual((await decodeImage(image)).data, drawPicture(alone, side).data)
  }
})

test('pictures and answers are those of the scenes', async () => {
  const questions = await questionsOf('test')
  for (let i = 0; i < sizes.test; i++) {
    const scene = drawScene(3, 'test', i)
    const image = join(folder, 'images', `test_${String(i).padStart(6, '0')}.png`)
    assert.deepEqual((await decodeImage(image)).data, drawPicture(scene, side).data)
    const its = questions.filter((sample) => sample.image === image)
    assert.ok(its.length >= 2)
    for (const { question, texts } of its) {
      assert.equal(texts.length, 10)
      assert.deepEqual([...new Set(texts)], [naiveAnswer(scene, question as string)])
    }
  }
})

test('one more caption of each scene, as results of the COCO form', () => {
  const more: { image_id: number; caption: string }[] = json('more-captions_test.json')
  assert.deepEqual(
    more.map(({ image_id }) => image_id),
    Array.from({ length: sizes.test }, (_, i) => i),
  )
  for (const { image_id, caption } of more) assertTrueOf(drawScene(3, 'test', image_id), caption)
  const same = json('captions_test.json').annotations.filter(
    (one: { image_id: number; caption: string }) => one.caption === more[one.image_id]!.caption,
  )
  assert.ok(same.length < sizes.test, 'drawn apart from the references')
})

test('kinds that training never asks are asked of the others', () => {
  const kindsOf = (part: string): Set<string> =>
    new Set(json(`answers_${part}.json`).annotations.map((one: { question_type: string }) => one.question_type))
  for (const kind of unseenKinds) {
    assert.ok(!kindsOf('train').has(kind) && !kindsOf('single').has(kind))
    assert.ok(kindsOf('test').has(kind) && kindsOf('novel').has(kind))
  }
  assert.equal(kindsOf('train').size + unseenKinds.length, kindsOf('test').size)
})

test('retrieval: one full caption for every scene, and no two alike', async () => {
  const samples = await samplesOf({ kind: 'captions', annotations: 'retrieval_test.json', images: 'images' })
  assert.ok(samples.length > 0.9 * sizes.test)
  for (const { texts } of samples) assert.match(texts.join(), /^[^|]+ on a \w+ background$/)
  assert.equal(new Set(samples.map(({ texts }) => texts[0])).size, samples.length)
})

test('the tokenizers load', async () => {
  assert.equal((await loadTokenizer(join(folder, 'qformer-tokenizer'))).tokenId('[DEC]'), 5)
  assert.equal((await loadTokenizer(join(folder, 'language-tokenizer'))).tokenId('</s>'), 2)
})

test('blip2 metrics vqa gives the right answers 100', async () => {
  const answers: { question_id: number; multiple_choice_answer: string }[] = json('answers_novel.json').annotations
  const results = join(root, 'results.json')
  writeFileSync(
    results,
    JSON.stringify(answers.map(({ question_id, multiple_choice_answer: answer }) => ({ question_id, answer }))),
  )
  const files = [
    '--questions',
    join(folder, 'questions_novel.json'),
    '--annotations',
    join(folder, 'answers_novel.json'),
  ]
  const outcome = await blip2(['metrics', 'vqa', ...files, '--results', results, '--json'])
  assert.equal(outcome.stderr, '')
  const [scores] = objects<{ overall: number; perQuestionType: Record<string, number> }>(outcome)
  assert.equal(scores?.overall, 100)
  for (const score of Object.values(scores?.perQuestionType ?? {})) assert.equal(score, 100)
})

test('the same again, over what was there; a folder of another kind is left alone', async () => {
  const small = join(root, 'small')
  const few = { train: 3, single: 1, validation: 1, test: 1, novel: 1, texts: 2 }
  await writeDataset(small, few)
  const before = contents(small)
  writeFileSync(join(small, 'texts.jsonl'), 'changed')
  await writeDataset(small, few)
  assert.deepEqual(contents(small), before)

  const foreign = join(root, 'foreign')
  mkdirSync(foreign)
  await writeDataset(foreign, few) // an empty one is taken
  rmSync(foreign, { recursive: true })
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'thesis.txt'), 'years of work')
  await assert.rejects(
    writeDataset(foreign, few),
    new DataError(`${foreign}: expected a data set of scenes or nothing, found thesis.txt; name another folder`),
  )
  assert.deepEqual(readdirSync(foreign), ['thesis.txt'])
  await assert.rejects(writeDataset(join(foreign, 'thesis.txt'), few), /^DataError: .*thesis\.txt: ENOTDIR/)
  assert.equal(readFileSync(join(foreign, 'thesis.txt'), 'utf8'), 'years of work')
})

/** Name → bytes of every file below a folder. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    entries.map((entry) => [
      join(entry.parentPath, entry.name),
      readFileSync(join(entry.parentPath, entry.name)).toString('base64'),
    ]),
  )
}

test('killed at any time, nothing has the name of the folder, and the next run makes it', async () => {
  const target = join(root, 'killed')
  const url = JSON.stringify(new URL('../../scenes/node-dataset.js', import.meta.url).href)
  const script = `
    import { writeDataset } from ${url}
    const sizes = { train: 400, single: 1, validation: 1, test: 1, novel: 1, texts: 2 }
    await writeDataset(${JSON.stringify(target)}, sizes, (done) => console.log(done))`
  for (const batches of [1, 3]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    for (let told = 0; told < batches; told++) await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(existsSync(target), false)
  }
  await writeDataset(target, { train: 2, single: 1, validation: 1, test: 1, novel: 1, texts: 1 })
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith('killed')),
    ['killed'],
  )
  assert.equal(readdirSync(join(target, 'images')).length, 6)
})
