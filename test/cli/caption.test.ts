import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadBlip2 } from '../../src/index.ts'
import { repositoryRoot } from '../support/paths.ts'
import { blip2, objects, scene, tiny } from './cli.ts'

interface CaptionLine {
  readonly image: string
  readonly pred_caption: string
  readonly captions: readonly { readonly text: string; readonly score: number }[]
  readonly model: string
  readonly timing_ms: Readonly<Record<string, number>>
  readonly error?: string
}

const fixtures = join(repositoryRoot, 'test', 'images', 'fixtures')
const folder = mkdtempSync(join(tmpdir(), 'blip2-cli-'))
after(() => rmSync(folder, { recursive: true }))

test('--json has the fields of the contract and what the library says', async () => {
  const outcome = await blip2(['caption', scene, '--model', tiny, '--json'])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.equal(outcome.stderr, '')
  const [line, ...more] = objects<CaptionLine>(outcome)
  assert.equal(more.length, 0)
  assert.deepEqual(Object.keys(line!), ['image', 'pred_caption', 'captions', 'model', 'timing_ms'])
  assert.deepEqual(Object.keys(line!.captions[0]!), ['text', 'score'])
  assert.deepEqual(Object.keys(line!.timing_ms), ['decode', 'resize', 'encode', 'generate', 'total'])
  const { total, ...parts } = line!.timing_ms
  const sum = Object.values(parts).reduce((a, b) => a + b, 0)
  assert.ok(Object.values(parts).every((ms) => ms > 0) && total! >= sum - 1, JSON.stringify(line!.timing_ms))

  const model = await loadBlip2(tiny)
  try {
    const { pred_caption, captions } = await model.caption(scene)
    const expected = {
      image: scene,
      pred_caption,
      model: tiny,
      captions: captions.map(({ text, score }) => ({ text, score })),
    }
    const { timing_ms, ...found } = line!
    assert.deepEqual(found, expected)
  } finally {
    await model.dispose()
  }
})

test('what cannot be read does not stop the others, alone or in a batch; the exit code tells', async () => {
  const text = join(folder, 'text.jpg')
  const empty = join(folder, 'empty.png')
  writeFileSync(text, 'Dear diary,')
  writeFileSync(empty, '')
  const missing = join(folder, 'missing.jpg')
  const images = [scene, missing, text, join(fixtures, 'rgb.jpg'), folder, empty, scene]
  const errors = [missing, text, folder, empty]
  const args = ['caption', ...images, '--model', tiny, '--json', '--max-new-tokens', '6']
  const [alone, batch] = await Promise.all([blip2(args), blip2([...args, '--batch', '3'])])
  for (const outcome of [alone, batch]) {
    assert.equal(outcome.code, 1)
    const lines = objects<CaptionLine>(outcome)
    assert.deepEqual(
      lines.map(({ image }) => image),
      images,
    )
    for (const line of lines.filter(({ image }) => errors.includes(image))) {
      assert.deepEqual(Object.keys(line), ['image', 'error'])
      assert.ok(outcome.stderr.includes(`error: ${line.error}\n`), line.error)
    }
    assert.doesNotMatch(outcome.stderr, /\n {4}at /, 'a stack')
  }
  const captionsOf = (outcome: typeof alone) => objects<CaptionLine>(outcome).map(({ captions }) => captions?.[0]?.text)
  assert.deepEqual(captionsOf(batch), captionsOf(alone))
  assert.deepEqual(
    alone.stderr.split('\n').map((line) => line.replace(/, found.*|;.*/, '')),
    [
      `error: ${missing}: no such file`,
      `error: ${text}: expected a JPEG, PNG, WebP, AVIF, GIF or TIFF image`,
      `error: ${folder}: is a folder`,
      `error: ${empty}: expected a JPEG, PNG, WebP, AVIF, GIF or TIFF image`,
      '',
    ],
  )
})

test('without --json: the file and its caption, errors aside', async () => {
  const args = [scene, 'nope.jpg', '--model', tiny, '--max-new-tokens', '4']
  const outcome = await blip2(['caption', ...args])
  assert.equal(outcome.code, 1)
  assert.equal(outcome.lines.length, 1)
  assert.ok(outcome.lines[0]!.startsWith(`${scene}: `), outcome.stdout)
  assert.match(outcome.stderr, /^error: nope\.jpg: no such file/)
})

test('a command line of a thousand files', async () => {
  const missing = Array.from({ length: 1000 }, (_, i) => `${'a-folder-with-a-long-name/'.repeat(4)}${i}.jpg`)
  const outcome = await blip2(['caption', ...missing, scene, '--model', tiny, '--json', '--max-new-tokens', '2'])
  assert.equal(outcome.code, 1)
  assert.deepEqual(
    objects<CaptionLine>(outcome).map(({ image }) => image),
    [...missing, scene],
  )
})

test('--captions gives as many, best first, with beams to match', async () => {
  const outcome = await blip2(['caption', scene, '--model', tiny, '--json', '--captions', '7', '--max-new-tokens', '5'])
  const [{ captions, pred_caption }] = objects<CaptionLine>(outcome) as [CaptionLine]
  assert.equal(captions.length, 7)
  assert.equal(new Set(captions.map(({ text }) => text)).size, 7)
  assert.equal(captions[0]!.text, pred_caption)
  assert.deepEqual(
    captions,
    captions.toSorted((a, b) => b.score - a.score),
  )
})

test('--sample draws the same with the same seed', async () => {
  const draw = (seed: string) =>
    blip2(['caption', scene, '--model', tiny, '--sample', '--top-p', '0.95', '--temperature', '2', '--seed', seed])
  const [first, again, other] = await Promise.all([draw('1'), draw('1'), draw('2')])
  assert.equal(first.code, 0, first.stderr)
  assert.equal(again.stdout, first.stdout)
  assert.notEqual(other.stdout, first.stdout)
})

test('decoding options reach the search', async () => {
  const args = ['--beams', '1', '--min-new-tokens', '3', '--max-new-tokens', '3', '--no-repeat-ngram', '1']
  const options = ['--prompt', 'a photo of', '--repetition-penalty', '1.3', '--threads', '1', '--device', 'cpu']
  const outcome = await blip2(['caption', scene, '--model', tiny, '--json', ...args, ...options])
  assert.equal(outcome.code, 0, outcome.stderr)
  const model = await loadBlip2(tiny)
  try {
    const search = { numBeams: 1, minNewTokens: 3, maxNewTokens: 3, noRepeatNgramSize: 1, repetitionPenalty: 1.3 }
    const { pred_caption } = await model.caption(scene, { ...search, prompt: 'a photo of' })
    assert.equal(objects<CaptionLine>(outcome)[0]!.pred_caption, pred_caption)
    const { pred_caption: unlike } = await model.caption(scene)
    assert.notEqual(pred_caption, unlike)
  } finally {
    await model.dispose()
  }
})

test('photos are turned as EXIF says, and with --no-exif they are not', async () => {
  // The fixtures' .upright.png and .expected.png are the two readings of exif-6.jpg by Pillow (test/images/fixtures/README.md).
  const [photo, upright, asStored] = ['exif-6.jpg', 'exif-6.jpg.upright.png', 'exif-6.jpg.expected.png'].map((name) =>
    join(fixtures, name),
  ) as [string, string, string]
  const scores = async (...args: string[]) =>
    objects<CaptionLine>(await blip2(['caption', ...args, '--model', tiny, '--json'])).map(
      ({ captions }) => captions[0]!.score,
    )
  const [[turned, reference, other], [plain]] = await Promise.all([
    scores(photo, upright, asStored),
    scores(photo, '--no-exif'),
  ])
  assert.equal(turned, reference)
  assert.equal(plain, other)
  assert.notEqual(turned, plain)
})

test('--image-size runs the model at another size, and says which sizes there are', async () => {
  const caption = ['caption', scene, '--model', tiny, '--json', '--image-size']
  const [line] = objects<CaptionLine>(await blip2([...caption, '42']))
  const model = await loadBlip2(tiny, { imageSize: 42 })
  assert.equal(line?.pred_caption, (await model.caption(scene)).pred_caption)
  await model.dispose()
  const wrong = await blip2([...caption, '40'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /expected a multiple of the patch size, 7 pixels, found 40/)
})
