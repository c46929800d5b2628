/** A first-stage model as users have it. That its numbers are the reference's is for test/parity/lavis-qformer.ts. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ConfigError, DataError, SessionError } from '../../../src/errors.ts'
import type { RgbImage } from '../../../src/images/rgb-image.ts'
import { type Blip2, type FeatureTensor, loadBlip2, type Match } from '../../../src/index.ts'
import { writeFirstStage, writeHuggingFaceFirstStage } from '../../support/first-stage.ts'
import { repositoryRoot } from '../../support/paths.ts'

const scene = join(repositoryRoot, 'examples', 'demo', 'scene.png')
const generationModel = join(repositoryRoot, 'examples', 'demo', 'tiny-blip2')
const temporary = mkdtempSync(join(tmpdir(), 'blip2-matching-'))

/** Plain-coloured images. */
const colours: RgbImage[] = [
  [250, 20, 30],
  [10, 200, 40],
  [30, 60, 250],
].map(([r = 0, g = 0, b = 0]) => ({
  width: 8,
  height: 6,
  data: Uint8Array.from({ length: 144 }, (_, i) => [r, g, b][i % 3] as number),
}))
const texts = ['a dog', 'x', 'two cats on a mat', 'the sea', 'dog']

const notices: string[] = []
let model: Blip2
before(async () => {
  const folder = await writeFirstStage(join(temporary, 'lavis'))
  model = await loadBlip2(folder, { onNotice: (text) => notices.push(text) })
})
after(async () => {
  await model.dispose()
  rmSync(temporary, { recursive: true })
})

function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-6): void {
  assert.equal(found.length, expected.length)
  Array.from(expected).forEach((value, i) => {
    assert.ok(Math.abs(found[i]! - value) <= tolerance, `at ${i}: expected ${value}, found ${found[i]}`)
  })
}

const numbersOf = (matches: readonly Match[]) =>
  matches.flatMap(({ itc, itm, itm_logits }) => [itc, itm, ...itm_logits])

const rowsOf = ({ shape, data }: FeatureTensor): Float32Array[] =>
  Array.from({ length: shape[0]! }, (_, row) => data.subarray(row * shape[1]!, (row + 1) * shape[1]!))

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)

test('texts of different lengths have, in any batch and in their order, the scores that they have alone', async () => {
  const alone: Match[] = []
  for (const text of texts) alone.push(await model.match(scene, text))
  for (const batch of [1, 2, 32]) {
    const together = await model.match(scene, texts, { batch })
    assert.deepEqual(
      together.map(({ text }) => text),
      texts,
    )
    assertClose(numbersOf(together), numbersOf(alone))
  }
  assert.ok(new Set(alone.map(({ itm }) => itm)).size === texts.length, 'all differ')
})

test('itm is the softmax of its logits; no texts have no scores', async () => {
  const { itc, itm, itm_logits } = await model.match(scene, 'a dog')
  const [no, yes] = itm_logits
  assert.ok(Math.abs(itm - Math.exp(yes) / (Math.exp(no) + Math.exp(yes))) < 1e-12)
  assert.ok(itc > -1 && itc < 1)
  assert.deepEqual(await model.match(scene, []), [])
})

test('many images with many texts, from a list or as they come, encoded or not', async () => {
  async function* comingIn() {
    yield* colours.slice(0, 2)
    yield await model.encode(colours[2]!)
  }
  for (const images of [colours, comingIn()]) {
    const found: Match[][] = []
    for await (const matches of model.matchAll(images, texts)) found.push(matches)
    assert.equal(found.length, colours.length)
    for (const [i, matches] of found.entries()) {
      assertClose(numbersOf(matches), numbersOf(await model.match(colours[i]!, texts)))
    }
  }
})

test('features of an image: queries, and their projection, of which itc takes the best', async () => {
  const { embeds, projected } = await model.features({ mode: 'image', image: scene })
  assert.deepEqual(
    [embeds.shape, projected?.shape],
    [
      [5, 32],
      [5, 12],
    ],
  ) // cases.json of the reference: queries, hidden_size, embed_dim
  const text = await model.features({ mode: 'text', text: 'a dog' })
  assert.deepEqual(
    [text.embeds.shape, text.projected?.shape],
    [
      [6, 32],
      [6, 12],
    ],
  ) // [CLS] a d ##o ##g [SEP]
  for (const row of [...rowsOf(projected!), ...rowsOf(text.projected!)]) assertClose([Math.sqrt(dot(row, row))], [1])
  const cosines = rowsOf(projected!).map((query) => dot(query, rowsOf(text.projected!)[0]!))
  assertClose([(await model.match(scene, 'a dog')).itc], [Math.max(...cosines)])
})

test('features in a batch are those of each alone', async () => {
  const images = await model.featuresBatch({ mode: 'image', images: colours })
  const read = await model.featuresBatch({ mode: 'text', texts })
  const pairs = await model.featuresBatch({ mode: 'multimodal', images: colours, texts: texts.slice(0, 3) })
  for (const [i, image] of colours.entries()) {
    const text = texts[i]!
    const alone = await model.features({ mode: 'image', image })
    assertClose(images[i]!.embeds.data, alone.embeds.data)
    assertClose(images[i]!.projected!.data, alone.projected!.data)
    const both = await model.features({ mode: 'multimodal', image, text })
    assert.deepEqual([both.embeds.shape, both.projected], [[5, 32], undefined])
    assertClose(pairs[i]!.embeds.data, both.embeds.data)
  }
  for (const [i, text] of texts.entries()) {
    const alone = await model.features({ mode: 'text', text })
    assert.deepEqual(read[i]!.embeds.shape, alone.embeds.shape)
    assertClose(read[i]!.projected!.data, alone.projected!.data)
  }
})

test('several texts about one encoded image have the multimodal features that they have one by one', async () => {
  const image = await model.encode(scene)
  const together = await model.featuresBatch({ mode: 'multimodal', images: texts.map(() => image), texts })
  for (const [i, text] of texts.entries()) {
    assertClose(together[i]!.embeds.data, (await model.features({ mode: 'multimodal', image, text })).embeds.data)
  }
})

test('texts are cleaned as in training, unless told otherwise', async () => {
  const [plain, marked, asItIs] = await Promise.all([
    model.match(scene, 'a dog'),
    model.match(scene, 'A dog!!'),
    model.match(scene, 'A dog!!', { clean: false }),
  ])
  assertClose(numbersOf([marked]), numbersOf([plain]))
  assert.equal(marked.text, 'A dog!!')
  assert.ok(Math.abs(asItIs.itc - plain.itc) > 1e-3) // the marks are unknown tokens
})

test('what is behind the longest text is not read, and that is said', async () => {
  const short = await model.match(scene, 'abcd', { maxTextLength: 6 })
  assert.equal(notices.length, 0)
  const long = await model.match(scene, 'abcdefgh', { maxTextLength: 6 })
  assertClose(numbersOf([long]), numbersOf([short]))
  assert.equal(notices.length, 1)
  await assert.rejects(
    model.match(scene, 'a', { maxTextLength: 21 }),
    /maxTextLength: expected an integer from 3 to 20/,
  )
})

test('captions by the captioning head; in a batch each image has its own', async () => {
  for (const options of [{}, { numBeams: 1 }, { sample: true, seed: 3 }]) {
    const alone = []
    for (const image of colours) alone.push((await model.caption(image, options)).captions)
    const batch = await model.captionBatch(colours, options)
    assert.deepEqual(
      batch.map(({ captions }) => captions.map(({ text, finishReason }) => [text, finishReason])),
      alone.map((captions) => captions.map(({ text, finishReason }) => [text, finishReason])),
    )
  }
  const { pred_caption, captions, timing_ms } = await model.caption(scene, { numReturnSequences: 2 })
  assert.equal(pred_caption, captions[0]!.text)
  assert.deepEqual(Object.keys(timing_ms), ['decode', 'resize', 'encode', 'generate', 'total'])
  assert.deepEqual(await model.captionBatch([]), [])
  await assert.rejects(model.caption(scene, { prompt: 'a photo of' }), ConfigError)
})

test('a caption ends where the model has no more positions', async () => {
  const { captions } = await model.caption(scene, { maxNewTokens: 500, numBeams: 1, noRepeatNgramSize: 1 })
  assert.ok(captions[0]!.text.length > 0)
})

test('files of Hugging Face match with the same scores, and cannot caption', async () => {
  const folder = await writeHuggingFaceFirstStage(join(temporary, 'huggingface'), join(temporary, 'lavis'))
  const published = await loadBlip2(folder)
  try {
    assertClose(numbersOf(await published.match(scene, texts)), numbersOf(await model.match(scene, texts)))
    await assert.rejects(
      published.caption(scene),
      (error: Error) =>
        error instanceof ConfigError &&
        /captioning head .*in the files of LAVIS and mmpretrain, not in/.test(error.message),
    )
  } finally {
    await published.dispose()
  }
})

test('mmpretrain has the same model under its names', async () => {
  const folder = await writeFirstStage(join(temporary, 'mmpretrain'), 'mmpretrain-retrieval.pth')
  const other = await loadBlip2(join(folder, 'mmpretrain-retrieval.pth'))
  try {
    assertClose(numbersOf(await other.match(scene, texts)), numbersOf(await model.match(scene, texts)))
  } finally {
    await other.dispose()
  }
})

test('at another image size the positions are interpolated', async () => {
  const larger = await loadBlip2(join(temporary, 'lavis'), { imageSize: 42 })
  try {
    assert.equal(larger.config.vision_config.image_size, 42)
    assert.equal(larger.retrieval.patches, 37)
    assert.notEqual((await larger.match(scene, 'a dog')).itc, (await model.match(scene, 'a dog')).itc)
  } finally {
    await larger.dispose()
  }
})

test('what needs a language model says so, and which models have one', async () => {
  const calls = [
    () => model.answer(scene, 'what is it'),
    () => model.answerBatch([]),
    () => model.chat(scene),
    () => model.generate(scene),
    () => model.generateBatch([]),
    () => model.stream(scene).next(),
  ]
  for (const call of calls) {
    await assert.rejects(
      call,
      (error: Error) =>
        error instanceof ConfigError &&
        /is a model for retrieval, .*captions and answers, such as blip2-opt/.test(error.message),
    )
  }
})

test('images that another kind of model has encoded are refused', async () => {
  const other = await loadBlip2(generationModel)
  try {
    const [ours, theirs] = await Promise.all([model.encode(scene), other.encode(scene)])
    await assert.rejects(model.match(theirs, 'a dog'), /encoded by another kind of model; encode it with this one/)
    await assert.rejects(other.caption(ours), ConfigError)
  } finally {
    await other.dispose()
  }
})

test('as many texts as images make pairs', async () => {
  await assert.rejects(
    model.featuresBatch({ mode: 'multimodal', images: colours, texts: ['a'] }),
    (error: Error) => error instanceof DataError && /found 3 images and 1 texts/.test(error.message),
  )
})

test('retrieval: sizes, and the numbers that match is made of', async () => {
  const { retrieval } = model
  assert.deepEqual([retrieval.queries, retrieval.embedSize, retrieval.patches, retrieval.hiddenSize], [5, 12, 17, 24])
  const [image] = await retrieval.encodeImages([scene])
  const encoded = await retrieval.encodeTexts(texts.slice(0, 2))
  const joined = Float32Array.from(encoded.flatMap(({ projected }) => [...projected]))
  const itc = await retrieval.similarities!(image!.projected, 1, joined, 2)
  const { match, noMatch } = await retrieval.matchLogits(
    image!.imageEmbeds,
    encoded.map(({ tokens }) => tokens),
  )
  const expected = await model.match(scene, texts.slice(0, 2))
  assertClose(
    itc,
    expected.map((one) => one.itc),
  )
  assertClose(
    [...noMatch, ...match],
    [0, 1].flatMap((logit) => expected.map(({ itm_logits }) => itm_logits[logit]!)),
  )
  assert.equal((await retrieval.similarities!(image!.projected, 1, new Float32Array(), 0)).length, 0)
  const [cut] = await retrieval.encodeTexts(texts.slice(0, 1), { maxTextLength: 3 })
  assert.deepEqual([cut!.tokens.length, encoded[0]!.tokens.length > 3], [3, true])
})

test('an abort rejects with its reason between the batches, and the model goes on working', async () => {
  const reason = new Error('enough')
  await assert.rejects(model.match(scene, texts, { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  const matching = model.matchAll(colours, texts, { signal: controller.signal })
  await matching.next()
  controller.abort(reason)
  await assert.rejects(matching.next(), reason)
  assert.equal((await model.match(scene, texts)).length, texts.length)
})

test('a disposed model rejects', async () => {
  const other = await loadBlip2(join(temporary, 'lavis'))
  await other.dispose()
  await other.dispose()
  await assert.rejects(other.match(colours[0]!, 'a dog'), SessionError)
})
