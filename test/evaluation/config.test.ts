import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '../../src/errors.ts'
import { type Benchmark, parseBenchmark } from '../../src/evaluation/config.ts'
import { findPreset } from '../../src/models/presets.ts'
import { repositoryRoot } from '../support/paths.ts'

const folder = join(repositoryRoot, 'configs')
const files = readdirSync(folder)
const read = (name: string) => readFileSync(join(folder, `${name}.yaml`), 'utf8')
const shipped = new Map(
  files.map((file): [string, Benchmark] => {
    const name = file.replace('.yaml', '')
    return [name, parseBenchmark(read(name), file)]
  }),
)

function published(config: string, model: string, split: string): Readonly<Record<string, number>> | undefined {
  return shipped.get(config)?.models[model]?.published[split]
}

test('the published numbers: tables 2, 3 and 5 of the paper (arXiv 2301.12597 v3), the table of mmpretrain', () => {
  const vqa = ['blip2-opt-2.7b', 'blip2-opt-6.7b', 'blip2-flan-t5-xl', 'blip2-flan-t5-xxl']
  const column = (config: string, split: string) =>
    vqa.flatMap((model) => Object.values(published(config, model, split)!))
  assert.deepEqual(column('vqav2', 'val'), [53.5, 54.3, 63.1, 65.2])
  assert.deepEqual(column('vqav2', 'test-dev'), [52.3, 52.6, 63.0, 65.0])
  assert.deepEqual(column('okvqa', 'test'), [31.7, 36.4, 40.7, 45.9])
  assert.deepEqual(column('gqa', 'test-dev'), [34.6, 36.4, 44.2, 44.7])

  const fineTuned = ['blip2-opt-2.7b-coco', 'blip2-opt-6.7b-coco', 'blip2-flan-t5-xl-coco']
  assert.deepEqual(
    fineTuned.map((model) => published('coco-caption', model, 'test')),
    [
      { CIDEr: 145.8, Bleu_4: 43.7 },
      { CIDEr: 145.2, Bleu_4: 43.5 },
      { CIDEr: 144.5, Bleu_4: 42.4 },
    ],
  )
  const domains = ['in-domain', 'near-domain', 'out-domain']
  assert.deepEqual(
    fineTuned.map((model) => {
      const scores = published('nocaps', model, 'val')!
      return [...domains.flatMap((one) => [scores[`${one} CIDEr`], scores[`${one} SPICE`]]), scores.CIDEr, scores.SPICE]
    }),
    [
      [123.0, 15.8, 117.8, 15.4, 123.4, 15.1, 119.7, 15.4],
      [123.7, 15.8, 119.2, 15.3, 124.4, 14.8, 121.0, 15.3],
      [123.7, 16.3, 120.2, 15.9, 124.8, 15.1, 121.6, 15.8],
    ],
  )
  const recalls = ['coco-retrieval', 'flickr30k-retrieval'].map((config) =>
    Object.values(published(config, 'blip2-itm-vit-g-coco', 'test')!),
  )
  assert.deepEqual(recalls, [
    [85.4, 97.0, 98.5, 68.3, 87.7, 92.6],
    [97.6, 100, 100, 89.7, 98.1, 98.9],
  ])
  assert.deepEqual(published('coco-caption', 'blip2-opt2.7b_3rdparty-zeroshot_caption', 'val'), {
    CIDEr: 111.1,
    Bleu_4: 32.9,
  })
  assert.deepEqual(published('vqav2', 'blip2-opt2.7b_3rdparty-zeroshot_vqa', 'val'), { overall: 53.5 })
})

test('every model is one that can be loaded by its name, every name of the published table is an alias', () => {
  for (const [name, { models, model, aliases }] of shipped) {
    for (const row of Object.keys(models)) assert.ok(findPreset(row), `${name}: ${row}`)
    assert.ok(Object.keys(models[model]!.published).length > 0)
    for (const alias of aliases) assert.ok(alias in models)
  }
  assert.deepEqual([...shipped.values()].flatMap(({ aliases }) => aliases).sort(), [
    'blip2-opt2.7b_3rdparty-zeroshot_caption',
    'blip2-opt2.7b_3rdparty-zeroshot_vqa',
    'blip2_3rdparty_retrieval',
  ])
})

test('what differs between paper, LAVIS and mmpretrain', () => {
  const caption = shipped.get('coco-caption')!
  const vqa = shipped.get('vqav2')!
  const retrieval = shipped.get('coco-retrieval')!
  assert.ok(caption.task === 'caption' && vqa.task === 'vqa' && retrieval.task === 'retrieval')
  const shared = { prompt: 'a photo of', beams: 5 }
  const { paper, lavis, published } = caption.presets
  assert.deepEqual(
    [paper?.opt, paper?.t5],
    [4, 7].map((min_new_tokens) => ({
      ...shared,
      max_new_tokens: 30,
      min_new_tokens,
      length_penalty: 1,
      repetition_penalty: 1,
    })),
  )
  assert.deepEqual(
    [lavis?.opt, lavis?.t5],
    [29, 30].map((max_new_tokens) => ({
      ...shared,
      max_new_tokens,
      min_new_tokens: 7,
      length_penalty: 0,
      repetition_penalty: 1.15,
    })),
  )
  assert.deepEqual([published?.image_size, published?.opt.min_new_tokens], [364, 0])

  const asked = (preset: string) => {
    const { opt, t5, question_text, accuracy } = vqa.presets[preset]!
    return [opt.prompt, opt.length_penalty, t5.prompt, t5.length_penalty, question_text, accuracy]
  }
  const [answer, short] = ['Question: {} Answer:', 'Question: {} Short answer:']
  assert.deepEqual(asked('paper'), [answer, -1, short, -1, 'lavis', 'official'])
  assert.deepEqual(asked('lavis'), [short, 0, short, -1, 'lavis', 'lavis'])
  assert.deepEqual(asked('published'), [answer, -1, answer, -1, 'mmpretrain', 'mmpretrain'])

  const rules = Object.entries(retrieval.presets).map(([name, { rule, k }]) => [name, rule, k])
  assert.deepEqual(rules, [
    ['lavis', 'lavis', 128],
    ['paper', 'paper', 128],
    ['published', 'lavis', 128],
  ])
})

test('a wrong configuration: file, field, what was expected and what was found', () => {
  const good = read('vqav2')
  const cases: readonly [change: (yaml: string) => string, message: string][] = [
    [
      (yaml) => yaml.replace('beams: 5', 'beams: five'),
      'presets.paper.beams: expected a positive integer, found "five"',
    ],
    [(yaml) => yaml.replace('224', '-224'), 'presets.paper.image_size: expected a positive integer, found -224'],
    [
      (yaml) => yaml.replace('task: vqa', 'task: vqqa'),
      'task: expected "caption", "vqa", "gqa" or "retrieval", found "vqqa"',
    ],
    [(yaml) => yaml.replace('licence:', 'license:'), 'license: there is no such field'],
    [
      (yaml) => yaml.replace('accuracy: lavis', 'accuracy: strict'),
      'presets.lavis.accuracy: expected "official" or "lavis" or "mmpretrain", found "strict"',
    ],
    [
      (yaml) => yaml.replace(/ {4}t5:\n {6}prompt.*\n/, ''),
      'presets.paper: expected prompt here or under t5, found nothing',
    ],
    [(yaml) => yaml.replace('split: val', 'split: dev'), 'split: expected one of val, test-dev, found "dev"'],
    [
      (yaml) => yaml.replace('preset: published', 'preset: mm'),
      'models.blip2-opt2.7b_3rdparty-zeroshot_vqa.preset: expected one of paper, lavis, published, found "mm"',
    ],
    [
      (yaml) => yaml.replace('val: { overall: 53.5 }', 'val: { overall: "53.5" }'),
      'models.blip2-opt-2.7b.published.val.overall: expected a number, found "53.5"',
    ],
    [
      (yaml) => yaml.replace(/from: .*Questions_Val.*/, ''),
      'splits.val.questions.from: expected a text, found nothing',
    ],
    [() => '- 1', 'expected a table, found [1]'],
    [() => '', 'expected a table, found null'],
    [() => 'a: [', 'not YAML: Flow sequence'],
  ]
  for (const [change, message] of cases) {
    const changed = change(good)
    assert.notEqual(changed, good, message)
    assert.throws(
      () => parseBenchmark(changed, 'mine.yaml'),
      (error) => error instanceof ConfigError && error.message.includes(`mine.yaml: ${message}`),
      message,
    )
  }
})

test('settings of a preset reach a language model unless its own say otherwise, defaults come last', () => {
  const yaml = read('coco-caption').replace('max_new_tokens: 29 #', 'max_new_tokens: 12\n      beams: 3 #')
  const { presets } = parseBenchmark(yaml, 'mine.yaml') as Extract<Benchmark, { task: 'caption' }>
  assert.deepEqual([presets.lavis?.opt.beams, presets.lavis?.t5.beams], [3, 5])
  assert.deepEqual([presets.lavis?.opt.max_new_tokens, presets.lavis?.t5.max_new_tokens], [12, 30])
  assert.equal(presets.lavis?.opt.repetition_penalty, 1.15)
  assert.equal(presets.published?.t5.repetition_penalty, 1)
})
