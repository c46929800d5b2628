/** Whole runs on the tiny benchmarks, with models whose answers are known. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeTinyBenchmarks } from '../../scripts/make-tiny-benchmarks.ts'
import { ConfigError, DataError } from '../../src/errors.ts'
import { findConfig } from '../../src/evaluation/node-configs.ts'
import { type EvaluateOptions, evaluate } from '../../src/evaluation/node-evaluate.ts'
import { type PrepareOptions, prepare } from '../../src/evaluation/node-prepare.ts'
import { makePlan } from '../../src/evaluation/plan.ts'
import type { RgbImage } from '../../src/images/rgb-image.ts'
import type { Blip2, PromptedInput, TaskOptions } from '../../src/tasks/blip2.ts'
import type { EncodedImage } from '../../src/tasks/image.ts'
import { repositoryRoot } from '../support/paths.ts'
import { fakeEncoder } from '../tasks/retrieval/fake-encoder.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-evaluate-'))
const data = join(folder, 'data')
before(() => makeTinyBenchmarks(data))
after(() => rmSync(folder, { recursive: true }))

interface Asked {
  readonly prompts: string[]
  readonly options: TaskOptions[]
}

/** Answers with what `answer` makes of the prompt and of the picture's pixel in the middle of the left thing. */
function generationModel(answer: (prompt: string, rgb: readonly number[]) => string, family: 'opt' | 't5' = 'opt') {
  const asked: Asked = { prompts: [], options: [] }
  const model = {
    name: 'fake',
    config: { vision_config: { image_size: 28 }, text_config: { model_type: family } },
    async encode({ data, width }: RgbImage) {
      const at = 3 * (68 * width + 42)
      return { rgb: [...data.subarray(at, at + 3)] } as unknown as EncodedImage
    },
    async generateBatch(items: readonly PromptedInput[], options: TaskOptions) {
      asked.prompts.push(...items.map(({ prompt }) => prompt))
      asked.options.push(options)
      return items.map(({ image, prompt }) => [{ text: answer(prompt, (image as unknown as { rgb: number[] }).rgb) }])
    },
  } as unknown as Blip2
  return { model, asked }
}

/** The colour of the left thing, as the script paints it. */
function colour([red, green, blue]: readonly number[]): string {
  if (red! > 150) return green! > 120 ? 'yellow' : 'red'
  return green! > blue! ? 'green' : 'blue'
}

let runs = 0

async function run(
  model: Blip2,
  name: string,
  more: Partial<PrepareOptions & EvaluateOptions> & { readonly split?: string; readonly preset?: string } = {},
) {
  const { split, preset, ...others } = more
  const config = await findConfig(name)
  const plan = makePlan(config.benchmark, { row: config.row, checkpoint: 'fake', split, preset })
  const prepared = await prepare(config, plan, { dataFolder: data, skipUnreadable: false, ...others })
  const out = join(folder, `run-${runs++}`)
  const options = { out, fresh: false, batch: 5, modelFiles: [], ...others }
  const report = await evaluate(model, prepared, options)
  const read = (file: string) => JSON.parse(readFileSync(join(options.out, file), 'utf8'))
  return { report, results: read('results.json'), written: read('report.json'), out: options.out }
}

function measured({ report }: Awaited<ReturnType<typeof run>>): Record<string, number> {
  return Object.fromEntries(
    report.scores.flatMap(({ metric, measured }) => (measured === null ? [] : [[metric, measured]])),
  )
}

test('VQA: prompts and search as the preset says, accuracy by hand, results for the server', async () => {
  const { model, asked } = generationModel((prompt, rgb) => (/what colour/.test(prompt) ? colour(rgb) : '2'))
  const outcome = await run(model, 'vqav2')
  assert.equal(outcome.report.settings.question_text, 'lavis')
  // Small letters and the question mark: blip_question. "Answer:" for OPT: paper, section 4.1.
  assert.ok(asked.prompts.includes('Question: how many shapes are there? Answer:'), asked.prompts.join('\n'))
  const { signal, ...search } = asked.options[0]!
  assert.deepEqual(search, { numBeams: 5, maxNewTokens: 10, minNewTokens: 0, lengthPenalty: -1, repetitionPenalty: 1 })

  // 8 of 10 people gave the right answer to every question: full marks for colours and numbers, none for the rest.
  assert.deepEqual(measured(outcome), { overall: 50, other: 50, number: 100, 'yes/no': 0 })
  assert.deepEqual(outcome.report.perType, { 'what colour': 100, 'how many': 100, 'do the': 0, 'what are': 0 })
  assert.equal(outcome.results.length, 48)
  assert.deepEqual(outcome.results[1], { question_id: 391895001, answer: '2' })
  assert.deepEqual(outcome.written, JSON.parse(JSON.stringify(outcome.report)))
})

test('VQA: other presets ask otherwise', async () => {
  const prompts = async (preset: string, family: 'opt' | 't5') => {
    const { model, asked } = generationModel(() => 'no', family)
    await run(model, 'vqav2', { preset, limit: 2 })
    return [asked.prompts[1], asked.options[0]?.lengthPenalty]
  }
  const short = 'Question: how many shapes are there? Short answer:'
  assert.deepEqual(await prompts('lavis', 'opt'), [short, 0])
  assert.deepEqual(await prompts('lavis', 't5'), [short, -1])
  assert.deepEqual(await prompts('paper', 't5'), [short, -1])
  assert.deepEqual(await prompts('published', 'opt'), ['Question: how many shapes are there Answer:', -1])
})

test('secret answers: results without scores, the published number all the same', async () => {
  const { model } = generationModel(() => 'no')
  const { report, results } = await run(model, 'vqav2/blip2-opt-2.7b', { split: 'test-dev' })
  assert.equal(report.scorable, false)
  assert.deepEqual(report.scores, [{ metric: 'overall', measured: null, published: 52.3, difference: null }])
  assert.equal(results.length, 48)
})

test('GQA and OK-VQA', async () => {
  const { model } = generationModel((prompt, rgb) => (/what colour/.test(prompt) ? colour(rgb).toUpperCase() : 'two'))
  const gqa = await run(model, 'gqa')
  // A quarter of the questions is about colours; `2` is the answer to another quarter, and LAVIS makes `two` one.
  assert.deepEqual(measured(gqa), { accuracy: 50, binary: 0, open: 200 / 3 })
  assert.deepEqual(gqa.results[0], { questionId: '391895000', prediction: 'RED' })
  const okvqa = await run(model, 'okvqa')
  assert.equal(measured(okvqa).overall, 50)
  assert.match(okvqa.report.note!, /lemmatises/)
})

test('captions: a caption of the reference is the best there is, official results', async () => {
  const list = JSON.parse(readFileSync(join(data, 'coco/annotations/coco_karpathy_test.json'), 'utf8'))
  let next = 0
  const { model, asked } = generationModel(() => list[next++].caption[0])
  const outcome = await run(model, 'coco-caption/blip2-opt-2.7b-coco')
  assert.deepEqual([...new Set(asked.prompts)], ['a photo of'])
  assert.equal(asked.options[0]?.minNewTokens, 4)
  const { Bleu_1, Bleu_4, CIDEr } = measured(outcome)
  assert.ok(Math.abs(Bleu_1! - 100) < 1e-6 && Math.abs(Bleu_4! - 100) < 1e-6)
  assert.ok(CIDEr! > 100)
  assert.deepEqual(outcome.results[0], { image_id: 391895, caption: list[0].caption[0] })
  const row = outcome.report.scores[0]!
  assert.deepEqual([row.metric, row.published, row.difference], ['CIDEr', 145.8, CIDEr! - 145.8])
})

test('NoCaps has the scores of its domains too', async () => {
  const { model } = generationModel(() => 'a red circle and a blue square')
  const scores = measured(await run(model, 'nocaps'))
  const domains = ['in-domain', 'near-domain', 'out-domain'].map((domain) => scores[`${domain} CIDEr`]!)
  // Four images of each.
  assert.ok(Math.abs(scores.CIDEr! - (domains[0]! + domains[1]! + domains[2]!) / 3) < 1e-9)
  assert.ok(scores.CIDEr! > 0)
})

test('the official COCO file gives the captions of the list', async () => {
  const { model } = generationModel(() => 'a red circle and a blue square')
  const [list, official] = [await run(model, 'coco-caption'), await run(model, 'coco-caption', { split: 'val2014' })]
  assert.deepEqual(measured(official), measured(list))
  assert.deepEqual(official.results, list.results)
})

test('a part only: the first ones, said in the report; the rest is computed when it is asked for', async () => {
  const { model, asked } = generationModel(() => 'no')
  const first = await run(model, 'vqav2/blip2-opt-2.7b', { limit: 10 })
  assert.deepEqual(first.report.samples, { all: 48, asked: 10, scored: 10 })
  assert.deepEqual(first.report.partial, ['the first 10 of 48 were asked'])
  assert.deepEqual(
    first.results.map(({ question_id }: { question_id: number }) => question_id).slice(0, 2),
    [391895000, 391895001],
  )
  const page = readFileSync(join(first.out, 'report.html'), 'utf8')
  assert.match(page, /Partial:.*the first 10 of 48 were asked/)

  const whole = await run(model, 'vqav2/blip2-opt-2.7b', { out: first.out })
  assert.equal(asked.prompts.length, 48)
  assert.deepEqual(whole.report.partial, [])
  assert.equal(whole.results.length, 48)
})

test('a folder of other settings, other weights or other data is refused', async () => {
  const { model } = generationModel(() => 'no')
  const { out } = await run(model, 'vqav2', { limit: 1 })
  const refused = (more: Parameters<typeof run>[2], name: RegExp) =>
    assert.rejects(run(model, 'vqav2', { out, limit: 1, ...more }), (error) => {
      assert.ok(error instanceof DataError)
      assert.match(error.message, /holds another run/)
      assert.match(error.message, name)
      return true
    })
  await refused({ preset: 'lavis' }, /settings: .*Answer:.* there, .*Short answer:.* now/)
  await refused({ modelFiles: [{ name: 'm', bytes: 1, sha256: 'other' }] }, /model: /)
  const changed = join(folder, 'changed')
  cpSync(data, changed, { recursive: true })
  const questions = join(changed, 'coco/annotations/v2_OpenEnded_mscoco_val2014_questions.json')
  writeFileSync(questions, readFileSync(questions, 'utf8').replace('How many', 'how many'))
  await refused({ dataFolder: changed }, /data: /)
  await run(model, 'vqav2', { out, limit: 1 })
})

test('missing files are named, all of them, with where they are to be had, before anything is asked', async () => {
  const { model, asked } = generationModel(() => 'no')
  const empty = join(folder, 'empty')
  await assert.rejects(run(model, 'vqav2', { dataFolder: empty }), (error) => {
    assert.ok(error instanceof DataError)
    assert.deepEqual(error.message.split('\n').slice(0, 5), [
      'val split of VQAv2, zero-shot: not found:',
      `  ${empty}/coco/annotations/v2_OpenEnded_mscoco_val2014_questions.json`,
      '    from https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/v2_Questions_Val_mscoco.zip',
      `  ${empty}/coco/annotations/v2_mscoco_val2014_annotations.json`,
      '    from https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/v2_Annotations_Val_mscoco.zip',
    ])
    assert.match(error.message, /The data folder is .*empty; --data or BLIP2_DATA names another\. .*Licence: /)
    return true
  })
  assert.equal(asked.prompts.length, 0)
})

test('missing images stop the run before it begins, damaged ones when they come; or both are left out and listed', async () => {
  const broken = join(folder, 'broken')
  cpSync(data, broken, { recursive: true })
  const image = (id: number) => join(broken, `coco/val2014/COCO_val2014_000000${id}.jpg`)
  rmSync(image(391895))
  rmSync(image(399814))
  writeFileSync(image(407733), readFileSync(image(407733)).subarray(0, 300))
  const { model, asked } = generationModel(() => 'no')
  const out = join(folder, 'broken-run')
  await assert.rejects(run(model, 'vqav2', { dataFolder: broken, out }), (error) => {
    assert.ok(error instanceof DataError)
    assert.ok(
      error.message.includes(`${image(391895)}, and 7 more\n    from http://images.cocodataset.org`),
      error.message,
    )
    return true
  })
  assert.ok(!existsSync(out))

  const { report, results } = await run(model, 'vqav2', { dataFolder: broken, out, skipUnreadable: true })
  assert.deepEqual(report.samples, { all: 48, asked: 48, scored: 36 })
  assert.deepEqual(report.partial, ['12 could not be, because their image cannot be read'])
  assert.deepEqual(
    report.unreadable.map((one) => one.image),
    [391895, 399814, 407733].map(image),
  )
  assert.deepEqual(
    report.unreadable.map(({ reason }) => /no such file|JPEG data is damaged/.exec(reason)?.[0]),
    ['no such file', 'no such file', 'JPEG data is damaged'],
  )
  assert.equal(results.length, 36)
  assert.equal(asked.prompts.length, 36)
  const page = readFileSync(join(out, 'report.html'), 'utf8')
  assert.ok(page.includes('407733.jpg') && page.includes('Images that cannot be read'))

  await assert.rejects(
    run(model, 'vqav2', { dataFolder: join(folder, 'nowhere'), skipUnreadable: true }),
    /not found/,
    'all of them missing',
  )
})

test('retrieval: recall both ways, ranks, the first text as the prediction, no work left', async () => {
  const model = {
    name: 'fake',
    config: { vision_config: { image_size: 28 } },
    retrieval: fakeEncoder(),
  } as unknown as Blip2
  const { report, results, out } = await run(model, 'coco-retrieval/blip2-itm-vit-g-coco')
  assert.deepEqual(report.samples, { all: 12, asked: 12, scored: 12 })
  assert.deepEqual(report.settings, {
    k: 128,
    rule: 'lavis',
    caption_text: 'lavis',
    image_size: 28,
    exif: false,
  })
  assert.deepEqual(
    report.scores.slice(0, 6).map(({ metric, published }) => [metric, published]),
    [
      ['txt_r1', 85.4],
      ['txt_r5', 97],
      ['txt_r10', 98.5],
      ['img_r1', 68.3],
      ['img_r5', 87.7],
      ['img_r10', 92.6],
    ],
  )
  assert.deepEqual([results.image_to_text.length, results.text_to_image.length], [12, 60])
  const hits = results.image_to_text.filter(({ rank }: { rank: number }) => rank <= 10).length
  assert.equal(report.scores[2]?.measured, (100 * hits) / 12)
  assert.ok(!existsSync(join(out, 'work')))
  assert.match(readFileSync(join(out, 'report.html'), 'utf8'), /rank \d+/)
})

test('a model of another kind', async () => {
  const model = { name: 'fake', config: { vision_config: { image_size: 28 } } } as unknown as Blip2
  await assert.rejects(
    run(model, 'gqa'),
    (error) =>
      error instanceof ConfigError && error.message === 'fake: has no language model, which GQA, zero-shot needs',
  )
})

test('the page stands alone and shows every example', async () => {
  const { model } = generationModel(() => '<b>no</b>')
  const { out, report } = await run(model, 'vqav2')
  const page = readFileSync(join(out, 'report.html'), 'utf8')
  assert.equal(page.match(/<figure>/g)?.length, 36)
  assert.equal(page.match(/<img src="data:image\/jpeg;base64,/g)?.length, 36)
  assert.ok(page.includes('&#60;b&#62;no&#60;/b&#62;') && !page.includes('<b>no</b>'))
  const { blip2, node, onnxruntime } = report.versions
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))
  assert.deepEqual([blip2, node], [version, process.versions.node])
  assert.match(onnxruntime, /^1\.\d+\.\d+$/)
  for (const { sha256 } of report.files.annotations) assert.match(sha256, /^[0-9a-f]{64}$/)
})
