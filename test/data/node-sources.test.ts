import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { openSource, type SourceSpec } from '../../src/data/node-sources.ts'
import { DataError } from '../../src/errors.ts'
import { collect } from './collect.ts'
import { imageParts, tarBytes } from './shards.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-sources-'))
after(() => rmSync(root, { recursive: true }))

function file(name: string, content: string | Uint8Array): string {
  const path = join(root, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return name
}

/** All samples, in the order of their keys. */
async function samplesOf(spec: SourceSpec) {
  const source = await openSource(spec, root)
  const samples = await collect(source.pass(0, { seed: 1, skip: 0 }))
  assert.equal(await source.size(), samples.length)
  return samples.sort((a, b) => (a.key < b.key ? -1 : 1))
}

async function assertDataError(spec: SourceSpec, message: string | RegExp): Promise<void> {
  await assert.rejects(openSource(spec, root), (error) => {
    assert.ok(error instanceof DataError, String(error))
    if (typeof message === 'string') assert.equal(error.message, message)
    else assert.match(error.message, message)
    return true
  })
}

const image = (name: string) => ({ image: join(root, name), imageKey: name })

test('captions: the images lie in their folder, or where an absolute path says', async () => {
  const json = [
    { image: 'a.jpg', caption: 'one' },
    { image: './sub/../a.jpg', caption: 'two' },
    { image: '/elsewhere/a.jpg', caption: 'three' },
  ]
  const annotations = file('coco/captions.json', `\uFEFF${JSON.stringify(json)}`)
  assert.deepEqual(await samplesOf({ kind: 'captions', annotations, images: 'coco/images' }), [
    { key: 'coco/captions.json: entry 0', ...image('coco/images/a.jpg'), texts: ['one'] },
    { key: 'coco/captions.json: entry 1', ...image('coco/images/a.jpg'), texts: ['two'] },
    { key: 'coco/captions.json: entry 2', image: '/elsewhere/a.jpg', imageKey: '/elsewhere/a.jpg', texts: ['three'] },
  ])
  const absolute = { kind: 'captions', annotations: join(root, annotations), images: join(root, 'coco') } as const
  assert.equal((await samplesOf(absolute))[0]?.image, join(root, 'coco/a.jpg'))
})

test('captions: what cannot be read is named', async () => {
  const spec = (annotations: string) => ({ kind: 'captions', annotations, images: '.' }) as const
  await assertDataError(spec('none.json'), `${join(root, 'none.json')}: no such file or folder`)
  await assertDataError(spec(file('cut.json', '[{"image"')), /^cut\.json: not JSON: /)
  await assertDataError(spec(file('no-image.json', '[{"caption":"a"}]')), 'no-image.json: entry 0: no image')
  const latin1 = file('latin1.json', Buffer.from('[{"image":"a.jpg","caption":"café"}]', 'latin1'))
  await assertDataError(spec(latin1), `${join(root, latin1)}: expected text in UTF-8; is it in another encoding?`)
})

test('vqa: image ids become names of files', async () => {
  const questions = file(
    'questions.json',
    JSON.stringify({ questions: [{ question_id: 5, image_id: 42, question: 'What?' }] }),
  )
  const annotations = file(
    'answers.json',
    JSON.stringify({ annotations: [{ question_id: 5, answers: [{ answer: 'food' }] }] }),
  )
  for (const [image_name, expected] of [
    [undefined, '42.jpg'],
    ['COCO_val2014_{:012}.jpg', 'COCO_val2014_000000000042.jpg'],
    ['{:3}.png', '042.png'],
    ['{}/x.png', '42/x.png'],
  ] as const) {
    const samples = await samplesOf({ kind: 'vqa', questions, annotations, images: 'images', image_name })
    assert.deepEqual(samples, [
      { key: 'questions.json: question 5', ...image(`images/${expected}`), question: 'What?', texts: ['food'] },
    ])
  }
  await assertDataError(
    { kind: 'vqa', questions, annotations, images: 'images', image_name: 'COCO_%012d.jpg' },
    'image_name: expected {} or {:012} for the id of an image, found COCO_%012d.jpg',
  )
  await assertDataError(
    { kind: 'vqa', questions: annotations, annotations, images: 'images' },
    'answers.json: questions: expected a list, found undefined',
  )
})

test('folder: each image with the captions of the text file beside it, also in folders below', async () => {
  for (const [name, content] of [
    ['f/b.PNG', 'no image'],
    ['f/b.txt', 'one\r\n\r\ntwo\n'],
    ['f/sub/a.1.jpeg', 'no image'],
    ['f/sub/a.1.txt', 'three'],
    ['f/notes.txt', 'without an image'],
    ['f/list.csv', ''],
  ] as const)
    file(name, content)
  assert.deepEqual(await samplesOf({ kind: 'folder', images: 'f' }), [
    { key: 'f/b.PNG', ...image('f/b.PNG'), texts: ['one', 'two'] },
    { key: 'f/sub/a.1.jpeg', ...image('f/sub/a.1.jpeg'), texts: ['three'] },
  ])
  file('f/sub/c.jpg', '')
  await assertDataError({ kind: 'folder', images: 'f' }, `${join(root, 'f/sub/c.txt')}: no such file or folder`)
  file('f/sub/c.txt', '\n \n')
  await assertDataError({ kind: 'folder', images: 'f' }, /^\/.*\/f\/sub\/c\.txt: no caption; /)
  file('g/notes.txt', '')
  await assertDataError({ kind: 'folder', images: 'g' }, `${join(root, 'g')}: there is no image in it`)
  await assertDataError({ kind: 'folder', images: 'h' }, `${join(root, 'h')}: no such file or folder`)
})

test('CSV: quotes, line breaks in a field, empty lines, a mark at the beginning', async () => {
  const name = file(
    'rows/set.csv',
    '\uFEFFimage,caption,width\r\n' +
      'a.jpg,"one, ""quoted""",3\r\n' +
      '\r\n' +
      'b.jpg,"two\nlines",\r\n' +
      ' c.jpg , three ,5',
  )
  assert.deepEqual(await samplesOf({ kind: 'table', file: name }), [
    { key: 'rows/set.csv:2', ...image('rows/a.jpg'), texts: ['one, "quoted"'] },
    { key: 'rows/set.csv:5', ...image('rows/b.jpg'), texts: ['two\nlines'] },
    { key: 'rows/set.csv:6', ...image('rows/c.jpg'), texts: ['three'] },
  ])
})

test('CSV: damage is an error with file and line', async () => {
  const table = (content: string) => ({ kind: 'table', file: file('damaged.csv', content) }) as const
  await assertDataError(table('image,caption\na.jpg,one\nb.jpg'), /^damaged\.csv: not CSV: .*on line 3/)
  await assertDataError(table('image,caption\na.jpg,"one'), /^damaged\.csv: not CSV: .*line 2/)
  await assertDataError(table('image,caption\na.jpg,one\nb.jpg,\n'), /^damaged\.csv:3: no caption; /)
  await assertDataError(table('image,caption\n,one'), 'damaged.csv:2: image: expected the name of a file, found ""')
  await assertDataError(table('picture,caption\na.jpg,one'), 'damaged.csv:2: no image')
})

test('JSON lines, with the images elsewhere', async () => {
  const name = file('set.jsonl', '{"image":"a.jpg","caption":["one","two"]}\r\n\n{"image":"b.jpg","text":"three"}\n')
  assert.deepEqual(await samplesOf({ kind: 'table', file: name, images: 'photos' }), [
    { key: 'set.jsonl:1', ...image('photos/a.jpg'), texts: ['one', 'two'] },
    { key: 'set.jsonl:3', ...image('photos/b.jpg'), texts: ['three'] },
  ])
  const table = (content: string) => ({ kind: 'table', file: file('damaged.jsonl', content) }) as const
  await assertDataError(table('{"image":"a.jpg","caption":"a"}\n{"image":"b'), /^damaged\.jsonl:2: not JSON: /)
  await assertDataError(table('\n5'), 'damaged.jsonl:2: expected fields and their values, found 5')
  await assertDataError(table('{"caption":"a"}'), 'damaged.jsonl:1: no image')
})

test('shards: a pattern of numbers, all of which must be there and whole', async () => {
  const tar = await tarBytes(imageParts('x', 1))
  for (const number of ['08', '09', '10']) file(`shards/${number}.tar`, tar)
  const samples = await samplesOf({ kind: 'shards', files: 'shards/{08..10}.tar' })
  assert.deepEqual(
    samples.map(({ key }) => key),
    ['shards/08.tar: x-0', 'shards/09.tar: x-0', 'shards/10.tar: x-0'],
  )
  assert.equal((await samplesOf({ kind: 'shards', files: 'shards/09.tar', buffer: 1 })).length, 1)
  for (const [files, message] of [
    ['shards/{08..11}.tar', `${join(root, 'shards/11.tar')}: no such file or folder`],
    ['shards/{8..10}.tar', `${join(root, 'shards/8.tar')}: no such file or folder`],
    ['shards/{10..08}.tar', 'shards/{10..08}.tar: the numbers of the shards go backwards'],
    ['shards/{a..b}.tar', `${join(root, 'shards/{a..b}.tar')}: no such file or folder`],
  ] as const)
    await assertDataError({ kind: 'shards', files }, message)
  file('shards/11.tar', tar.subarray(0, 1024))
  await assertDataError(
    { kind: 'shards', files: 'shards/{08..11}.tar' },
    `${join(root, 'shards/11.tar')}: does not end as a tar file does; is it whole?`,
  )
})

test('text: one sample a line', async () => {
  const name = file('texts.txt', '\uFEFFone\r\n\n  two  \n')
  assert.deepEqual(await samplesOf({ kind: 'text', file: name }), [
    { key: 'texts.txt:1', texts: ['one'] },
    { key: 'texts.txt:3', texts: ['two'] },
  ])
})

test('text as JSON lines: with line breaks', async () => {
  const name = file('texts.jsonl', '{"text": "one\\ntwo"}\n\n{"text": "three"}\n')
  assert.deepEqual(await samplesOf({ kind: 'text', file: name }), [
    { key: 'texts.jsonl:1', texts: ['one\ntwo'] },
    { key: 'texts.jsonl:3', texts: ['three'] },
  ])
  file('broken.jsonl', '{"text": "one"}\n{"text": ""}\n')
  await assertDataError({ kind: 'text', file: 'broken.jsonl' }, 'broken.jsonl:2: no caption; found the fields text')
})
