import assert from 'node:assert/strict'
import { test } from 'node:test'
import { captionSamples, vqaSamples } from '../../src/data/annotations.ts'
import { DataError } from '../../src/errors.ts'

const captions = (json: unknown) => captionSamples({ json, name: 'captions.json' })

/** The layout of COCO's captions_val2017.json; info, licences and other fields are not read. */
const coco = {
  info: {},
  images: [
    { id: 9, file_name: 'COCO_9.jpg', height: 480 },
    { id: 25, file_name: 'COCO_25.jpg' },
    { id: 30, file_name: 'COCO_30.jpg' },
  ],
  annotations: [
    { id: 1, image_id: 25, caption: 'A giraffe. ' },
    { id: 2, image_id: 9, caption: 'food' },
    { id: 3, image_id: 25, caption: 'two giraffes' },
    { id: 4, image_id: 30, caption: ' ' },
  ],
}

test('COCO captions: one sample an image, with all its captions; an image without any is left out', () => {
  assert.deepEqual(captions(coco), [
    { key: 'captions.json: image 9', image: 'COCO_9.jpg', texts: ['food'] },
    { key: 'captions.json: image 25', image: 'COCO_25.jpg', texts: ['A giraffe.', 'two giraffes'] },
  ])
})

test("LAVIS's list: one sample an entry, with a caption or a list of them", () => {
  assert.deepEqual(
    captions([
      { image: 'val2014/a.jpg', caption: 'a dog', image_id: 'coco_1' },
      { image: 'val2014/b.jpg', caption: ['a cat', 'a black cat'] },
    ]),
    [
      { key: 'captions.json: entry 0', image: 'val2014/a.jpg', texts: ['a dog'] },
      { key: 'captions.json: entry 1', image: 'val2014/b.jpg', texts: ['a cat', 'a black cat'] },
    ],
  )
})

test('captions: damage is an error with file and place', () => {
  const [image] = coco.images
  for (const [json, message] of [
    [7, 'the file: expected an object, found 7'],
    [{ images: [] }, 'annotations: expected a list, found undefined'],
    [{ ...coco, images: [{ id: 9, file_name: 3 }] }, 'images.0.file_name: expected a text, found 3'],
    [{ ...coco, images: [{ id: 9.5, file_name: 'a' }] }, 'images.0.id: expected a whole number or a text, found 9.5'],
    [
      { ...coco, annotations: [{ image_id: 9, caption: ['food'] }] },
      'annotations.0.caption: expected a text, found ["food"]',
    ],
    [{ ...coco, images: [image, image] }, 'image 9 is there twice'],
    [{ ...coco, images: [image] }, 'a caption of image 25, which is not among its images'],
    [[{ image: 'a.jpg' }], 'entry 0: no caption; found the fields image'],
    [[{ image: 'a.jpg', caption: 'a' }, null], 'entry 1: expected fields and their values, found null'],
  ] as const)
    assert.throws(() => captions(json), new DataError(`captions.json: ${message}`))
})

const vqa = (json: unknown, answers?: unknown) =>
  vqaSamples(
    { json, name: 'questions.json' },
    answers === undefined ? undefined : { json: answers, name: 'answers.json' },
    (id) => `image-${id}.jpg`,
  )

/** The layout of v2_OpenEnded_mscoco_val2014_questions.json and v2_mscoco_val2014_annotations.json. */
const questions = {
  task_type: 'Open-Ended',
  questions: [
    { image_id: 9, question: 'What is it? ', question_id: 9000 },
    { image_id: 9, question: 'Is it red?', question_id: 9001 },
  ],
}
const answers = {
  annotations: [
    { question_id: 9001, image_id: 9, answers: [{ answer: 'yes' }, { answer: ' no' }, { answer: 'yes' }] },
    { question_id: 9000, answers: [{ answer: 'food', answer_confidence: 'maybe' }, { answer: '' }] },
    { question_id: 1, answers: [{ answer: 'to a question that is not there' }] },
  ],
}

test('VQA v2: questions with all their answers, as often as each was given', () => {
  assert.deepEqual(vqa(questions, answers), [
    { key: 'questions.json: question 9000', image: 'image-9.jpg', question: 'What is it?', texts: ['food'] },
    { key: 'questions.json: question 9001', image: 'image-9.jpg', question: 'Is it red?', texts: ['yes', 'no', 'yes'] },
  ])
})

test("LAVIS's list of questions has the answers too", () => {
  assert.deepEqual(vqa([{ image: 'a.jpg', question: 'What?', answer: ['net', 'net'], question_id: 3 }]), [
    { key: 'questions.json: entry 0', image: 'a.jpg', question: 'What?', texts: ['net', 'net'] },
  ])
})

test('questions: damage is an error with file and place', () => {
  const [question] = questions.questions
  const [answer] = answers.annotations
  for (const [json, given, message] of [
    [questions, undefined, 'questions.json: questions as in VQA v2, where a file of annotations has the answers'],
    [{ questions: 3 }, answers, 'questions.json: questions: expected a list, found 3'],
    [
      { questions: [{ ...question, question: null }] },
      answers,
      'questions.json: questions.0.question: expected a text, found null',
    ],
    [
      { questions: [{ ...question, image_id: undefined }] },
      answers,
      'questions.json: questions.0.image_id: expected a whole number or a text, found undefined',
    ],
    [questions, questions, 'answers.json: annotations: expected a list, found undefined'],
    [
      questions,
      { annotations: [{ question_id: 9000, answers: ['food'] }] },
      'answers.json: annotations.0.answers.0: expected an object, found "food"',
    ],
    [questions, { annotations: [answer] }, 'questions.json: question 9000 has no answer in answers.json'],
    [questions, { annotations: [answer, answer] }, 'answers.json: question 9001 is there twice'],
    [{ questions: [question, question] }, answers, 'questions.json: question 9000 is there twice'],
    [
      [{ image: 'a.jpg', caption: 'a dog' }],
      undefined,
      'questions.json: entry 0: no question; is this a file of captions?',
    ],
  ] as const)
    assert.throws(() => vqa(json, given), new DataError(message))
})
