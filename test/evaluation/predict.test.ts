import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { DataError } from '../../src/errors.ts'
import { type PredictedBatch, type PredictOptions, type Prompted, predict } from '../../src/evaluation/predict.ts'
import type { RgbImage } from '../../src/images/rgb-image.ts'
import type { Blip2, PromptedInput, TaskOptions } from '../../src/tasks/blip2.ts'
import type { EncodedImage } from '../../src/tasks/image.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-predict-'))
after(() => rmSync(folder, { recursive: true }))

/** Images of one grey: number 3 has the value 3. */
const paths = await Promise.all(
  Array.from({ length: 5 }, async (_, i) => {
    const path = join(folder, `${i}.png`)
    await sharp({ create: { width: 2, height: 2, channels: 3, background: { r: i, g: i, b: i } } }).toFile(path)
    return path
  }),
)
const damaged = join(folder, 'damaged.png')
writeFileSync(damaged, 'not an image')
const missing = join(folder, 'missing.png')

/** Tells the grey of the image and the prompt; remembers what it was asked. */
function fakeModel() {
  const encoded: number[] = []
  const batches: { readonly size: number; readonly options: TaskOptions }[] = []
  const model = {
    async encode(image: RgbImage) {
      encoded.push(image.data[0]!)
      return { grey: image.data[0] } as unknown as EncodedImage
    },
    async generateBatch(items: readonly PromptedInput[], options: TaskOptions) {
      batches.push({ size: items.length, options })
      return items.map(({ image, prompt, question = '' }) => [
        { text: `${prompt}${question} ${(image as unknown as { grey: number }).grey}` },
      ])
    },
  } as unknown as Blip2
  return { model, encoded, batches }
}

const options: PredictOptions = { batch: 2, search: { numBeams: 3 }, exif: false, skipUnreadable: false }

async function all(
  model: Blip2,
  items: readonly Prompted[],
  more: Partial<PredictOptions> = {},
): Promise<PredictedBatch[]> {
  const batches = []
  for await (const batch of predict(model, items, { ...options, ...more })) batches.push(batch)
  return batches
}

const ask = (image: string, id: number): Prompted => ({ id, image, prompt: `p${id}` })

test('a Q-Former is told the question too', async () => {
  const { model } = fakeModel()
  const [batch] = await all(model, [{ ...ask(paths[0]!, 0), question: '?' }])
  assert.deepEqual(batch?.texts, [{ id: 0, text: 'p0? 0' }])
})

test('batch by batch, each with its prompt and the options of the search', async () => {
  const { model, batches } = fakeModel()
  assert.deepEqual(await all(model, paths.map(ask)), [
    {
      texts: [
        { id: 0, text: 'p0 0' },
        { id: 1, text: 'p1 1' },
      ],
      unreadable: [],
    },
    {
      texts: [
        { id: 2, text: 'p2 2' },
        { id: 3, text: 'p3 3' },
      ],
      unreadable: [],
    },
    { texts: [{ id: 4, text: 'p4 4' }], unreadable: [] },
  ])
  assert.deepEqual(
    batches,
    [2, 2, 1].map((size) => ({ size, options: { numBeams: 3, signal: undefined } })),
  )
  assert.deepEqual(await all(model, []), [])
})

test('an image is encoded once for all neighbouring questions, in one batch and across two', async () => {
  const { model, encoded } = fakeModel()
  const items = [0, 0, 0, 0, 1, 2, 2].map((image, id) => ask(paths[image]!, id))
  const texts = (await all(model, items, { batch: 3 })).flatMap((batch) => batch.texts.map(({ text }) => text))
  assert.deepEqual(texts, ['p0 0', 'p1 0', 'p2 0', 'p3 0', 'p4 1', 'p5 2', 'p6 2'])
  assert.deepEqual(encoded, [0, 1, 2])
})

test('an image that cannot be read stops the run after the batches before it, with its path', async () => {
  const { model } = fakeModel()
  const items = [paths[0]!, paths[1]!, damaged, paths[2]!].map(ask)
  const done: PredictedBatch[] = []
  await assert.rejects(
    async () => {
      for await (const batch of predict(model, items, options)) done.push(batch)
    },
    (error) =>
      error instanceof DataError &&
      error.message.startsWith(`${damaged}: expected a JPEG`) &&
      error.message.endsWith('--skip-unreadable goes on without it'),
  )
  assert.equal(done.length, 1)
})

test('or is left out, as often as it is asked about, with the reason', async () => {
  const { model, encoded } = fakeModel()
  const items = [damaged, paths[3]!, damaged, damaged, missing, paths[4]!].map(ask)
  const batches = await all(model, items, { skipUnreadable: true })
  assert.deepEqual(
    batches.flatMap(({ texts }) => texts.map(({ text }) => text)),
    ['p1 3', 'p5 4'],
  )
  const unreadable = batches.flatMap((batch) => batch.unreadable)
  assert.deepEqual(
    unreadable.map(({ id, image }) => [id, image]),
    [
      [0, damaged],
      [2, damaged],
      [3, damaged],
      [4, missing],
    ],
  )
  assert.match(unreadable[0]!.reason, /damaged\.png: expected a JPEG/)
  assert.match(unreadable[3]!.reason, /missing\.png: no such file/)
  assert.deepEqual(encoded, [3, 4])
})

test('an aborted run rejects with the reason, and a reader that stops leaves nothing behind', async () => {
  const { model } = fakeModel()
  const controller = new AbortController()
  const reason = new Error('enough')
  const batches = predict(model, paths.map(ask), { ...options, signal: controller.signal })
  assert.equal((await batches.next()).done, false)
  controller.abort(reason)
  await assert.rejects(async () => {
    for await (const batch of batches) assert.ok(batch)
  }, reason)

  for await (const batch of predict(model, [paths[0]!, paths[1]!, damaged].map(ask), options)) {
    assert.equal(batch.texts.length, 2)
    break
  }
})
