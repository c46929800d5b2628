import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeSafetensors } from '../../src/checkpoints/node.ts'
import { blip2 } from '../cli/cli.ts'
import { readJson, synthetic } from './reference.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-metrics-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

const annotations = file('annotations.json', {
  images: [{ id: 1 }, { id: 2 }, { id: 3 }],
  annotations: [
    { id: 1, image_id: 1, caption: 'A dog runs on the grass.' },
    { id: 2, image_id: 2, caption: 'Two cats sleep near a red chair.' },
    { id: 3, image_id: 3, caption: 'A car.' },
  ],
})

test('metrics caption: the official names and scales', async () => {
  const results = file('results.json', [
    { image_id: 1, caption: 'a dog runs on the grass' },
    { image_id: 2, caption: 'two cats sleep near a red chair' },
  ])
  const args = ['metrics', 'caption', '--annotations', annotations, '--results', results]
  const { code, lines, stderr } = await blip2([...args, '--json', '--per-image'])
  assert.equal(code, 0)
  assert.equal(
    stderr,
    `note: no caption in ${results} for image 3 of ${annotations}: not scored\n` +
      'note: left out without the jar of its Java program: METEOR (--meteor), SPICE (--spice)\n',
  )
  const [first, second, corpus] = lines.map((line) => JSON.parse(line))
  assert.deepEqual([first.image_id, second.image_id], [1, 2])
  // 'two-images' of edge-cases.json: the same captions
  const edge = readJson(synthetic('caption/edge-cases.json')).find(
    ({ name }: { name: string }) => name === 'two-images',
  )
  assert.deepEqual(Object.keys(corpus), ['Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr', 'images'])
  for (const [name, value] of Object.entries(edge.corpus as Record<string, number>)) {
    if (name in corpus) assert.ok(Math.abs(corpus[name] - value) < 1e-9, name)
  }
  const text = await blip2(args)
  assert.match(text.stdout, /^Bleu_1 {2,}1\.0000\n(.+\n)*CIDEr {2,}10\.0000\n$/)
})

test('metrics caption: wrong ids end with code 1, missing options with 2', async () => {
  const results = file('other.json', [{ image_id: 4, caption: 'a' }])
  const wrong = await blip2(['metrics', 'caption', '--annotations', annotations, '--results', results])
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /^error: .*other\.json\[0\]: image_id 4 is not in .*annotations\.json/)
  const usage = await blip2(['metrics', 'caption', '--annotations', annotations])
  assert.equal(usage.code, 2)
  assert.match(usage.stderr, /blip2 metrics caption --help/)
})

test('metrics caption --meteor: a jar that is none is an error, not a missing score', async () => {
  const results = file('one.json', [{ image_id: 1, caption: 'a dog' }])
  const java = ['--meteor', join(folder, 'nothing.jar')]
  const outcome = await blip2(['metrics', 'caption', '--annotations', annotations, '--results', results, ...java])
  assert.equal(outcome.code, 1)
  assert.equal(outcome.stdout, '')
  assert.match(outcome.stderr, /error: (java: cannot be started|.*nothing\.jar: the program ended with code)/)
})

test('metrics vqa: percent, overall and by type', async () => {
  const files = ['questions', 'annotations', 'results'].flatMap((name) => [`--${name}`, synthetic(`vqa/${name}.json`)])
  const expected = readJson(synthetic('vqa/accuracy.json'))
  for (const variant of ['official', 'lavis']) {
    const { lines } = await blip2(['metrics', 'vqa', ...files, '--variant', variant, '--json'])
    const found = JSON.parse(lines[0]!)
    assert.ok(Math.abs(found.overall - expected[variant].full.overall) < 1e-9)
    assert.ok(Math.abs(found.perAnswerType.number - expected[variant].full.perAnswerType.number) < 1e-9)
    assert.equal(found.questions, 523)
  }
})

test('metrics vqa and gqa --per-question: a line for each', async () => {
  const questions = file('gqa.json', {
    1: { answer: 'yes', types: { structural: 'verify', semantic: 'obj' } },
    2: { answer: 'red', types: { structural: 'query', semantic: 'attr' }, isBalanced: true },
    3: { answer: 'no', isBalanced: false },
  })
  const results = file('answers.json', [
    { questionId: '1', prediction: 'Yes' },
    { questionId: '2', prediction: 'red' },
  ])
  const gqa = ['metrics', 'gqa', '--questions', questions, '--results', results]
  const official = await blip2([...gqa, '--json', '--per-question'])
  assert.equal(official.stderr, `note: 1 questions of ${questions} are not of the balanced set, not scored\n`)
  assert.deepEqual(
    official.lines.map((line) => JSON.parse(line)),
    [
      { question_id: '1', accuracy: 0 },
      { question_id: '2', accuracy: 100 },
      {
        accuracy: 50,
        binary: 0,
        open: 100,
        accuracyPerStructuralType: { verify: 0, query: 100 },
        accuracyPerSemanticType: { obj: 0, attr: 100 },
        variant: 'official',
        questions: 2,
      },
    ],
  )
  const lavis = await blip2([...gqa, '--variant', 'lavis'])
  assert.match(
    lavis.stdout,
    /^accuracy {2,}100\.00\nbinary {2,}100\.00\nopen .*\nverify .*\nquery .*\nobj .*\nattr .*\n$/,
  )

  const files = ['questions', 'annotations', 'results'].flatMap((name) => [`--${name}`, synthetic(`vqa/${name}.json`)])
  const { lines } = await blip2(['metrics', 'vqa', ...files, '--json', '--per-question'])
  assert.equal(lines.length, 524)
  const [first] = readJson(synthetic('vqa/accuracy.json')).per_question
  assert.deepEqual(JSON.parse(lines[0]!), { question_id: first.question_id, accuracy: first.official })
})

test('metrics caption of images with domains, from lines of `blip2 caption --json`', async () => {
  const captions = ['a dog runs on the grass', 'two cats sleep near a red chair', 'a car']
  const nocaps = file('nocaps.json', {
    images: [
      { id: 0, file_name: 'a.jpg', domain: 'near-domain' },
      { id: 1, file_name: 'b.jpg', domain: 'in-domain' },
      { id: 2, file_name: 'c.jpg', domain: 'near-domain' },
    ],
    annotations: captions.map((caption, i) => ({ image_id: i, id: i, caption })),
  })
  const results = join(folder, 'captions.jsonl')
  const lines = ['a', 'b', 'c'].map((name, i) => ({ image: `photos/${name}.jpg`, pred_caption: captions[i] }))
  writeFileSync(results, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const args = ['metrics', 'caption', '--annotations', nocaps, '--results', results, '--plain-cider']
  const scores = JSON.parse((await blip2([...args, '--json'])).lines[0]!)
  assert.equal(scores.images, 3)
  assert.deepEqual(Object.keys(scores.domains), ['near-domain', 'in-domain'])
  const { ROUGE_L, CIDEr, CIDEr_plain, images } = scores.domains['near-domain']
  // Captions equal to their references, but "a car" has two orders of n-grams of four: (10 + 5) / 2.
  assert.deepEqual([ROUGE_L, images], [1, 2])
  assert.ok(Math.abs(CIDEr - 7.5) < 1e-9 && Math.abs(CIDEr_plain - 7.5) < 1e-9, `${CIDEr}`)
  const { stdout } = await blip2(args)
  assert.match(
    stdout,
    /^ +entire +near-domain +in-domain\nBleu_1 (.+\n)+CIDEr_plain +8\.3333 +7\.5000 +10\.0000\nimages +3 +2 +1\n$/,
  )
})

test('metrics retrieval: both directions from one matrix', async () => {
  const similarity = join(folder, 'scores.safetensors')
  const bytes = (values: number[]) => new Uint8Array(new Float32Array(values).buffer)
  await writeSafetensors(similarity, [
    { name: 'score_i2t', dtype: 'F32', shape: [2, 3], data: bytes([0.9, 0.1, 0.2, 0.3, 0.1, 0.2]) },
  ])
  const truth = file('truth.json', { txt2img: [0, 0, 1] })
  const { lines, stderr } = await blip2([
    'metrics',
    'retrieval',
    '--similarity',
    similarity,
    '--ground-truth',
    truth,
    '--json',
  ])
  assert.equal(stderr, '')
  // Image 0 finds text 0 first; image 1 finds text 0 before its text 2. Text 0 finds image 0; texts 1 and 2 are tied: lower index first.
  const found = JSON.parse(lines[0]!)
  assert.deepEqual([found.txt_r1, found.txt_r5], [50, 100])
  assert.ok(Math.abs(found.img_r1 - 200 / 3) < 1e-9)
})
