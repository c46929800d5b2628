import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
    withoutResult: [5, 9],
  })
})

test('NoCaps: the domain of each image', () => {
  const content = {
    images: [
      { id: 0, domain: 'near-domain' },
      { id: 1, domain: 'in-domain' },
      { id: 2, domain: 'near-domain' },
    ],
    annotations: [0, 1, 2].map((image_id) => ({ image_id, caption: 'a' })),
  }
  const { domains } = pair(
    [2, 1].map((image_id) => ({ image_id, caption: '' })),
    content,
  )
  assert.deepEqual(domains, ['in-domain', 'near-domain'])
  const odd = [content.images[0], { id: 1 }]
  assert.throws(() => pair([], { ...content, images: odd }), {
    message: /images\[1\]: image id 1: domain: expected a text, found nothing/,
  })
})

test('ground truth as LAVIS writes it: the id of a caption is that of its image', () => {
  const captions = ['a', 'b'].map((caption) => ({ id: 4, image_id: 4, caption }))
  const { references } = pair([{ image_id: 4, caption: '' }], { images: [{ id: 4 }], annotations: captions })
  assert.deepEqual(references, [['a', 'b']])
})

const named = {
  images: [
    { id: 1, file_name: 'val/a.jpg' },
    { id: 2, file_name: 'b.jpg' },
    { id: 3, file_name: 'train/a.jpg' },
  ],
  annotations: [1, 2, 3].map((image_id) => ({ image_id, caption: 'x' })),
}

test('what `blip2 caption --json` prints is found by the file name', () => {
  const { imageIds, candidates } = pair([{ image: '/photos/b.jpg', pred_caption: 'a dog', model: 'm' }], named)
  assert.deepEqual([imageIds, candidates], [[2], ['a dog']])
})

const wrong: [string, unknown, unknown, RegExp][] = [
  ['an unknown image', [{ image_id: 4, caption: '' }], annotations, /R\.json\[0\]: image_id 4 is not in A\.json/],
  [
    'the id as text',
    [{ image_id: '3', caption: '' }],
    annotations,
    /R\.json\[0\]: image_id "3" is not in A\.json; 3 is another id/,
  ],
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
wrong.push(
  [
    'an unknown file',
    [{ image: 'c.jpg' }],
    named,
    /R\.json\[0\]: image "c\.jpg": no image of A\.json with this file_name/,
  ],
  ['a file name of two images', [{ image: 'x/a.jpg' }], named, /R\.json\[0\]: image "x\/a\.jpg": 2 images of A\.json/],
  [
    'an image that failed',
    [{ image: 'b.jpg', error: 'b.jpg: cannot be read' }],
    named,
    /image_id 2 has an error for a caption: b\.jpg: cannot be read/,
  ],
)
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
  await assert.rejects(readJson('/'), { name: 'DataError', message: /^\/: cannot be read: EISDIR/ })
  const readme = synthetic('README.md')
  await assert.rejects(readJson(readme), { name: 'DataError', message: /README\.md: no JSON: / })
})

test('one object on each line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'blip2-lines-'))
  const read = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return readJson(join(folder, name))
  }
  const objects = [{ a: 1 }, { a: 2 }]
  const text = objects.map((one) => JSON.stringify(one)).join('\r\n')
  assert.deepEqual((await read('captions.jsonl', `${text}\n\n`)).content, objects)
  assert.deepEqual((await read('captions', text)).content, objects)
  assert.deepEqual((await read('one.jsonl', '{"a": 1}')).content, [{ a: 1 }])
  assert.deepEqual((await read('one.json', '{"a": 1}\n')).content, { a: 1 })
  assert.deepEqual((await read('spread.json', '{ "a":\n [{}] }')).content, { a: [{}] })
  await assert.rejects(read('cut.jsonl', `${text}\n{"a":`), { name: 'DataError', message: /cut\.jsonl:3: no JSON: / })
  await assert.rejects(read('empty.json', ' \n'), { message: /empty\.json: no JSON: the file is empty/ })
  rmSync(folder, { recursive: true })
})
