import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pairCaptions } from '../../src/metrics/caption/coco.ts'
import { readJson } from '../../src/metrics/node-read.ts'
import { synthetic } from './reference.ts'

const annotations = {
  images: [{ id: 7 }, { id: 3 }, { id: 5 }, { id: 9 }],
  annotations: [
    { id: 1, image_id: 3, caption: 'a dog' },
    { id: 2, image_id: 7, caption: 'a cat' },
    { id: 3, image_id: 3, caption: 'the dog' },
    { id: 4, image_id: 9, caption: 'a car' },
  ],
}
const pair = (results: unknown, content: unknown = annotations) =>
  pairCaptions({ name: 'A.json', content }, { name: 'R.json', content: results })

test('images in the order of the annotation file, those without a result left out', () => {
  const results = [
    { image_id: 3, caption: 'dog' },
    { image_id: 7, caption: '' },
  ]
  assert.deepEqual(pair(results), {
    imageIds: [7, 3],
    candidates: ['', 'dog'],
    references: [['a cat'], ['a dog', 'the dog']],
    withoutResult: 2,
  })
})

const wrong: readonly [string, unknown, unknown, RegExp][] = [
  ['an unknown image', [{ image_id: 4, caption: '' }], annotations, /R\.json\[0\]: image_id 4 is not in A\.json/],
  ['the id as text', [{ image_id: '3', caption: '' }], annotations, /R\.json\[0\]: image_id "3" is not in A\.json/],
  ['an image without references', [{ image_id: 5, caption: '' }], annotations, /image_id 5 has no caption in A\.json/],
  [
    'an image twice',
    [
      { image_id: 3, caption: '' },
      { image_id: 3, caption: '' },
    ],
    annotations,
    /R\.json\[1\]: image_id 3 is there twice/,
  ],
  ['no caption', [{ image_id: 3 }], annotations, /image_id 3: caption: expected a text, found nothing/],
  ['no results', [], annotations, /R\.json: expected captions of at least one image/],
  ['results in an object', {}, annotations, /R\.json: expected a list, found \{\}/],
  ['null for a result', [null], annotations, /R\.json\[0\]: expected an object, found null/],
  ['a list of annotations', [], [], /A\.json: expected an object, found \[\]/],
  ['annotations without images', [], { annotations: [] }, /A\.json: images: expected a list, found nothing/],
  [
    'an image id twice',
    [],
    { images: [{ id: 1 }, { id: 1 }], annotations: [] },
    /images\[1\]: image id 1 is there twice/,
  ],
  [
    'an annotation of no image',
    [],
    { images: [], annotations: [{ image_id: 8, caption: '' }] },
    /annotations\[0\]: image_id 8 is not among the images/,
  ],
  [
    'an annotation twice',
    [],
    {
      images: [{ id: 1 }],
      annotations: [
        { id: 2, image_id: 1, caption: '' },
        { id: 2, image_id: 1, caption: '' },
      ],
    },
    /annotations\[1\]: annotation id 2 is there twice/,
  ],
]
for (const [what, results, content, message] of wrong) {
  test(`${what}: refused`, () => {
    assert.throws(() => pair(results, content), { name: 'DataError', message })
  })
}

test('files that are none, or no JSON', async () => {
  await assert.rejects(readJson('/nowhere.json'), {
    name: 'DataError',
    message: /nowhere\.json: cannot be read: ENOENT/,
  })
  const lines = synthetic('caption/tokenizer/alone.jsonl')
  await assert.rejects(readJson(lines), { name: 'DataError', message: /alone\.jsonl: no JSON: / })
})
