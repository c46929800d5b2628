import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataError } from '../../src/errors.ts'
import { captionDataset } from '../../src/evaluation/captions.ts'
import { gqaDataset } from '../../src/evaluation/gqa.ts'
import type { Dataset } from '../../src/evaluation/sample.ts'
import { vqaDataset } from '../../src/evaluation/vqa.ts'

const file = (content: unknown, name = 'a.json') => ({ name, content })
const idsOf = ({ samples }: Dataset) => samples.map(({ id }) => id)

/** What the predictions by id score, all samples together and one by one. */
function scored(dataset: Dataset, texts: Readonly<Record<string, string>>) {
  const predictions = new Map(dataset.samples.map(({ id }) => [id, texts[id]!]))
  const { measured, bySample } = dataset.score!(dataset.samples, predictions)
  return { measured, each: [...bySample.values()], results: dataset.results(dataset.samples, predictions) }
}

function rejects(read: () => unknown, message: string): void {
  assert.throws(read, (error) => error instanceof DataError && error.message.startsWith(message), message)
}

const references = {
  1: ['a red boat', 'a boat on the sea'],
  2: ['a white house'],
  30: ['two birds', 'birds in a tree'],
}
const list = Object.entries(references).map(([id, caption]) => ({
  image: `val2014/COCO_val2014_00000${id}.jpg`,
  caption,
}))
const coco = {
  images: [30, 1, 2].map((id, i) => ({ id, file_name: `${id}.jpg`, domain: i === 0 ? 'in-domain' : 'out-domain' })),
  annotations: Object.entries(references).flatMap(([id, captions]) =>
    captions.map((caption) => ({ image_id: Number(id), caption })),
  ),
}
const captions = { 1: 'a red boat', 2: 'a dog', 30: 'birds in a tree' }

test("LAVIS's lists: ids from the file names, captions as references", () => {
  const dataset = captionDataset(file(list), 'coco/{file}')
  assert.deepEqual(idsOf(dataset), [1, 2, 30])
  assert.deepEqual(dataset.samples[0], {
    id: 1,
    image: 'coco/val2014/COCO_val2014_000001.jpg',
    references: references[1],
  })
  const { measured, each, results } = scored(dataset, captions)
  assert.deepEqual(results[2], { image_id: 30, caption: 'birds in a tree' })
  assert.deepEqual(Object.keys(measured), ['Bleu_1', 'Bleu_2', 'Bleu_3', 'Bleu_4', 'ROUGE_L', 'CIDEr', 'Exact'])
  assert.ok(each[0]! > 100 && each[2]! > 100 && each[1]! < 20, each.join())
  // Two of three captions are references, by capitals and full stops like these too.
  assert.equal(measured.Exact, 200 / 3)
  assert.equal(scored(dataset, { ...captions, 1: ' A red Boat. ', 30: 'two birds in a tree' }).measured.Exact, 100 / 3)
  // CIDEr is the mean of the images, times 100 as in papers.
  assert.ok(Math.abs(measured.CIDEr! - (each[0]! + each[1]! + each[2]!) / 3) < 1e-9)
  assert.ok(measured.CIDEr! > 100)
})

test("Flickr's names are ids as they are", () => {
  const flickr = [
    { image: 'flickr30k-images/1007129816.jpg', caption: ['a'] },
    { image: 'b/x_y.png', caption: ['b'] },
  ]
  assert.deepEqual(idsOf(captionDataset(file(flickr), 'flickr30k/{file}')), [1007129816, 'x_y'])
})

test('official COCO captions, with the domains of NoCaps', () => {
  const dataset = captionDataset(file(coco), 'nocaps/images/{file}')
  assert.deepEqual(idsOf(dataset), [30, 1, 2])
  assert.equal(dataset.samples[0]?.image, 'nocaps/images/30.jpg')
  const { measured, each } = scored(dataset, captions)
  assert.equal(measured['in-domain CIDEr'], each[0])
  assert.ok(Math.abs(measured['out-domain CIDEr']! - (each[1]! + each[2]!) / 2) < 1e-9)
})

test('odd captions', () => {
  const read =
    (content: unknown, images = 'coco/{file}') =>
    () =>
      captionDataset(file(content), images)
  rejects(read([...list, list[0]]), 'a.json[3]: image 1 is there twice')
  rejects(read([{ image: 'a.jpg', caption: [] }]), 'a.json[0]: image "a" has no caption')
  rejects(read([{ image: 'a.jpg', caption: 'text' }]), 'a.json[0].caption: expected a list, found "text"')
  rejects(read([]), 'a.json: expected at least one image, found none')
  rejects(read({ ...coco, annotations: [] }), 'a.json[0]: image_id 30 has no caption')
  rejects(
    read({ ...coco, images: coco.images.map(({ id }) => ({ id })) }),
    "a.json: image 30: expected the image's file name",
  )
})

const questions = {
  questions: [
    { question_id: 10, image_id: 1, question: 'What colour is the boat?' },
    { question_id: 11, image_id: 1, question: 'Is it day?' },
  ],
}
const annotations = {
  annotations: [
    { question_id: 11, question_type: 'is it', answer_type: 'yes/no', answers: people('yes', 10, '', 0) },
    { question_id: 10, question_type: 'what', answer_type: 'other', answers: people('red', 7, 'dark red', 3) },
  ],
}

function people(answer: string, count: number, other: string, others: number) {
  return [...Array(count).fill(answer), ...Array(others).fill(other)].map((text, i) => ({
    answer: text,
    answer_id: i + 1,
  }))
}

test('VQA: questions in the order of their file, accuracy by the official rule', () => {
  const dataset = vqaDataset(file(questions), file(annotations, 'b.json'), '{id:12}.jpg', 'official')
  assert.deepEqual(dataset.samples[0], {
    id: 10,
    image: '000000000001.jpg',
    question: 'What colour is the boat?',
    references: people('red', 7, 'dark red', 3).map(({ answer }) => answer),
  })
  const { measured, each, results } = scored(dataset, { 10: 'dark red', 11: 'no' })
  assert.deepEqual(results, [
    { question_id: 10, answer: 'dark red' },
    { question_id: 11, answer: 'no' },
  ])
  // Leaving one of the ten out: 7 times 3 others agree, 3 times 2; (7 · 1 + 3 · 2/3) / 10 = 0.9.
  assert.deepEqual(
    each.map((value) => Math.round(value * 1e9) / 1e9),
    [90, 0],
  )
  assert.ok(Math.abs(measured.overall! - 45) < 1e-9)
  assert.deepEqual(Object.keys(measured).sort(), ['other', 'overall', 'yes/no'])
})

test('VQA without public answers has results and no scores', () => {
  const dataset = vqaDataset(file(questions), undefined, '{id}.jpg', 'official')
  assert.equal(dataset.score, undefined)
  assert.deepEqual(dataset.samples[1]?.references, [])
})

test('odd questions are found before any is asked', () => {
  const read = (asked: unknown, said: unknown) => () =>
    vqaDataset(file(asked), file(said, 'b.json'), '{id}', 'official')
  const [first, second] = questions.questions
  rejects(read({ questions: [first, first] }, annotations), 'a.json: questions[1]: question_id 10 is there twice')
  rejects(read({ questions: [] }, annotations), 'a.json: expected at least one question, found none')
  rejects(
    read({ questions: [{ ...first, question: ' ' }] }, annotations),
    'a.json: questions[0]: question_id 10: the question is empty',
  )
  rejects(read({ questions: [second] }, annotations), 'a.json: question_id 10 of b.json not found')
  rejects(
    read({ questions: [{ question_id: 10, question: 'a?' }] }, annotations),
    'a.json: questions[0]: question_id 10: image_id',
  )
})

const gqa = {
  201: { question: 'Is it red?', imageId: 'n1', answer: 'yes', types: { structural: 'verify', semantic: 'attr' } },
  202: { question: 'What is it?', imageId: 'n1', answer: 'boat', types: { structural: 'query', semantic: 'obj' } },
}

test('GQA: the official questions and the list of LAVIS are the same', () => {
  const lavis = Object.entries(gqa).map(([question_id, { question, imageId, answer }]) => ({
    question_id: Number(question_id),
    question,
    image: `${imageId}.jpg`,
    answer,
  }))
  const [official, listed] = [gqa, lavis].map((content) => gqaDataset(file(content), 'gqa/{id}.jpg', 'lavis')) as [
    Dataset,
    Dataset,
  ]
  assert.deepEqual(listed.samples, official.samples)
  assert.deepEqual(official.samples[1], {
    id: '202',
    image: 'gqa/n1.jpg',
    question: 'What is it?',
    references: ['boat'],
  })
  const { measured, each, results } = scored(official, { 201: 'Yes', 202: 'a ship' })
  assert.deepEqual(measured, { accuracy: 50, binary: 100, open: 0 })
  assert.deepEqual(each, [100, 0])
  assert.deepEqual(results[0], { questionId: '201', prediction: 'Yes' })
  assert.deepEqual(scored(gqaDataset(file(gqa), '{id}', 'official'), { 201: 'Yes', 202: 'boat' }).each, [0, 100])
})

test('odd GQA questions', () => {
  const [, { answer, ...unanswered }] = Object.entries(gqa)[0]!
  rejects(() => gqaDataset(file({ 201: unanswered }), '{id}', 'lavis'), 'a.json: question "201" has no answer')
  rejects(
    () => gqaDataset(file({ 201: { ...gqa[201], imageId: null } }), '{id}', 'lavis'),
    'a.json: question "201": imageId',
  )
})
