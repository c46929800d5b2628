import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openCheckpoint, readTensor } from '../../../src/checkpoints/node.ts'
import { ConfigError, DataError, SessionError } from '../../../src/errors.ts'
import { GenerationImage } from '../../../src/tasks/image.ts'
import type { RetrievalEncoder } from '../../../src/tasks/retrieval/encoder.ts'
import { type RetrieveOptions, retrieve } from '../../../src/tasks/retrieval/node-retrieve.ts'
import { scoreOfOthers, scoreRules } from '../../../src/tasks/retrieval/ranking.ts'
import { referenceDir } from '../../support/paths.ts'
import { openReference } from '../../support/reference.ts'
import { floats, numbers } from '../../support/tensors.ts'
import { type Call, fakeEncoder, pixel } from './fake-encoder.ts'
import { naiveRetrieval, rows } from './naive-retrieval.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-retrieve-test-'))
after(() => rmSync(folder, { recursive: true }))

const images = Array.from({ length: 9 }, (_, i) => pixel(i))
const texts = Array.from({ length: 14 }, (_, i) => `text ${'x'.repeat((i * 5) % 11)}${i}`)
const small: RetrieveOptions = {
  k: 4,
  imageBatch: 2,
  textBatch: 3,
  features: 'float32',
  blocks: { images: 4, texts: 5 },
}

/** Equal but for the last bits of exp and of sums in another order. */
function assertRanked(found: ReturnType<typeof rows>, expected: ReturnType<typeof rows>, tolerance = 1e-6): void {
  assert.deepEqual(
    found.map((row) => row.map(({ index }) => index)),
    expected.map((row) => row.map(({ index }) => index)),
  )
  for (const [i, row] of found.entries()) {
    for (const [j, { itc, itm, score }] of row.entries()) {
      const wanted = expected[i]![j]!
      for (const [a, b] of [
        [itc, wanted.itc],
        [itm, wanted.itm],
        [score, wanted.score],
      ] as const) {
        assert.ok(Math.abs(a - b) <= tolerance, `row ${i}, place ${j}: ${a}, expected ${b}`)
      }
    }
  }
}

test('the length of texts is passed on, and is part of what a run is told by', async () => {
  const encoder = fakeEncoder()
  const lengths: unknown[] = []
  const watching: RetrievalEncoder = {
    ...encoder,
    encodeTexts: (some, options) => {
      lengths.push(options?.maxTextLength)
      return encoder.encodeTexts(some, options)
    },
  }
  const work = { folder: join(folder, 'lengths'), model: 'fake' }
  await retrieve(watching, { images, texts }, { ...small, textBatch: 14, maxTextLength: 20, work })
  assert.deepEqual(lengths, [20])
  await assert.rejects(
    retrieve(watching, { images, texts }, { ...small, textBatch: 14, maxTextLength: 21, work }),
    (error: Error) => error instanceof DataError && /maxTextLength was 20, is 21/.test(error.message),
  )
})

for (const rule of scoreRules) {
  for (const k of [1, 4, 128]) {
    test(`both directions as defined: rule ${rule}, k ${k}`, async () => {
      const encoder = fakeEncoder()
      const result = await retrieve(encoder, { images, texts }, { ...small, k, rule })
      const expected = await naiveRetrieval(encoder, images, texts, k, rule)
      assertRanked(rows(result.textsOfImages), expected.textsOfImages)
      assertRanked(rows(result.imagesOfTexts), expected.imagesOfTexts)
      assert.deepEqual([result.textsOfImages.k, result.imagesOfTexts.k], [Math.min(k, 14), Math.min(k, 9)])
      assert.deepEqual(result.images, [...images.keys()])
    })
  }
}

test('of equal scores the lower index comes first, in the choice and in the order', async () => {
  const same = [texts[3]!, texts[0]!, texts[3]!, texts[3]!, texts[1]!, texts[3]!]
  const result = await retrieve(fakeEncoder(), { images, texts: same }, { ...small, k: 3 })
  for (const row of rows(result.textsOfImages)) {
    const copies = row.map(({ index }) => index).filter((index) => same[index] === texts[3])
    assert.deepEqual(copies, [0, 2, 3].slice(0, copies.length))
  }
  assert.ok(rows(result.textsOfImages).some((row) => row.filter(({ index }) => same[index] === texts[3]).length === 3))
})

test('every pair is matched once; images come one after the other, their texts by length', async () => {
  const calls: Call[] = []
  const result = await retrieve(fakeEncoder({ onCall: (call) => calls.push(call) }), { images, texts }, small)
  const kinds = calls.map(({ kind }) => kind)
  assert.deepEqual(
    kinds,
    kinds.toSorted((a, b) => ['images', 'texts', 'match'].indexOf(a) - ['images', 'texts', 'match'].indexOf(b)),
  )
  assert.deepEqual(
    calls.filter(({ kind }) => kind === 'images').map(({ items }) => items),
    [2, 2, 2, 2, 1],
  )
  assert.deepEqual(
    calls.filter(({ kind }) => kind === 'texts').map(({ items }) => items),
    [3, 3, 3, 3, 2],
  )

  const asked = new Set<string>()
  rows(result.textsOfImages).forEach((row, image) => {
    for (const { index } of row) asked.add(`${image} ${index}`)
  })
  rows(result.imagesOfTexts).forEach((row, text) => {
    for (const { index } of row) asked.add(`${index} ${text}`)
  })
  const matches = calls.filter(({ kind }) => kind === 'match')
  assert.equal(result.pairs, asked.size)
  assert.equal(
    matches.reduce((sum, { items }) => sum + items, 0),
    asked.size,
  )
  assert.ok(asked.size < 9 * 4 + 14 * 4, 'some pairs are asked for by both')
  assert.ok(matches.every(({ items }) => items <= 3))
  for (let i = 1; i < matches.length; i++) {
    const [before, now] = [matches[i - 1]!, matches[i]!]
    if (`${before.imageEmbeds}` !== `${now.imageEmbeds}`) continue
    assert.ok(Math.max(...before.lengths!) <= Math.min(...now.lengths!))
  }
  assert.equal(new Set(matches.map(({ imageEmbeds }) => `${imageEmbeds}`)).size, images.length)
})

test("the encoder's own similarities are used where it has them, in blocks", async () => {
  const shapes: string[] = []
  const encoder: RetrievalEncoder = {
    ...fakeEncoder(),
    async similarities(projectedImages, imageCount, projectedTexts, textCount) {
      shapes.push(`${imageCount}x${textCount}`)
      assert.deepEqual([projectedImages.length, projectedTexts.length], [imageCount * 3 * 8, textCount * 8])
      return Float32Array.from({ length: imageCount * textCount }, (_, i) => -(i % textCount))
    },
  }
  const result = await retrieve(encoder, { images, texts }, { ...small, k: 1 })
  assert.deepEqual(shapes, ['4x5', '4x5', '4x4', '4x5', '4x5', '4x4', '1x5', '1x5', '1x4'])
  assert.deepEqual([...result.textsOfImages.indices], [0, 0, 0, 0, 0, 0, 0, 0, 0])
})

test('float16 features change the logits a little, the similarities not at all', async () => {
  const exact = await retrieve(fakeEncoder(), { images, texts }, { ...small, k: 128 })
  const rounded = await retrieve(fakeEncoder(), { images, texts }, { ...small, k: 128, features: 'float16' })
  const byIndex = (ranking: typeof exact.textsOfImages) =>
    rows(ranking).map((row) => row.toSorted((a, b) => a.index - b.index))
  const [a, b] = [byIndex(exact.textsOfImages).flat(), byIndex(rounded.textsOfImages).flat()]
  assert.deepEqual(
    a.map(({ itc }) => itc),
    b.map(({ itc }) => itc),
  )
  const differences = a.map(({ score }, i) => Math.abs(score - b[i]!.score))
  // Each of the 10 features is below 2, rounded by at most 2⁻¹¹, and has a weight of at most 1/2.
  assert.ok(Math.max(...differences) < 10 * 2 ** -11 * 0.5 && Math.max(...differences) > 0)
  const huge = {
    ...fakeEncoder(),
    encodeImages: async () => [{ projected: new Float32Array(24), imageEmbeds: new Float32Array(10).fill(1e5) }],
  }
  await assert.rejects(
    retrieve(huge, { images: images.slice(0, 1), texts }, { k: 4 }),
    /image in memory.: the image encoder gives 100000, which float16 does not hold; .*--features float32/,
  )
})

test('all similarities in a file, for `blip2 metrics retrieval`', async () => {
  const file = join(folder, 'similarity.safetensors')
  const result = await retrieve(fakeEncoder(), { images, texts }, { ...small, similarity: file })
  const { tensors } = await openCheckpoint(file)
  assert.deepEqual([...tensors.keys()], ['score_i2t'])
  assert.deepEqual(tensors.get('score_i2t')!.shape, [9, 14])
  const matrix = (await readTensor(tensors.get('score_i2t')!)) as Float32Array
  const { textsOfImages } = await naiveRetrieval(fakeEncoder(), images, texts, 14, 'lavis')
  textsOfImages.forEach((row, image) => {
    for (const { index, itc } of row) assert.equal(matrix[image * 14 + index], itc)
  })
  assert.equal(rows(result.textsOfImages)[0]!.length, 4)
})

test('images that cannot be read stop the run with their path, or are left out', async () => {
  const bad = join(folder, 'bad.jpg')
  writeFileSync(bad, 'Dear diary,')
  const missing = join(folder, 'missing.jpg')
  const some = [bad, ...images.slice(0, 3), missing, images[3]!]
  const calls: Call[] = []
  const counted = fakeEncoder({ onCall: (call) => calls.push(call) })
  await assert.rejects(
    retrieve(counted, { images: some, texts }, small),
    /missing\.jpg: no such file or folder; --skip-unreadable \(option skipUnreadable\) leaves such images out/,
  )
  assert.equal(calls.length, 0, 'before anything is computed')
  await assert.rejects(
    retrieve(counted, { images: [bad, ...images], texts }, small),
    /bad\.jpg: expected a JPEG, .*found text \("Dear diary,"\); --skip-unreadable/,
  )
  const result = await retrieve(fakeEncoder(), { images: some, texts }, { ...small, skipUnreadable: true })
  assert.deepEqual(result.images, [1, 2, 3, 5])
  assert.deepEqual(
    result.unreadable.map(({ image }) => image),
    [0, 4],
  )
  assert.match(result.unreadable[1]!.message, /missing\.jpg: no such file/)
  const expected = await naiveRetrieval(fakeEncoder(), images.slice(0, 4), texts, 4, 'lavis')
  assertRanked(rows(result.textsOfImages), expected.textsOfImages)
  const original = expected.imagesOfTexts.map((row) =>
    row.map((ranked) => ({ ...ranked, index: result.images[ranked.index]! })),
  )
  assertRanked(rows(result.imagesOfTexts), original)
  await assert.rejects(
    retrieve(fakeEncoder(), { images: [bad, missing], texts }, { ...small, skipUnreadable: true }),
    /none of the 2 images can be read/,
  )
})

test('what cannot be retrieved is refused', async () => {
  const wrong: readonly [Promise<unknown>, new (message: string) => Error, RegExp][] = [
    [
      retrieve(fakeEncoder(), { images: [], texts }),
      DataError,
      /expected images and texts, found 0 images and 14 texts/,
    ],
    [
      retrieve(fakeEncoder(), { images, texts }, { k: 0 }),
      ConfigError,
      /k: expected a whole number of at least 1, found 0/,
    ],
    [retrieve(fakeEncoder(), { images, texts }, { textBatch: 1.5 }), ConfigError, /textBatch: .*found 1\.5/],
    [
      retrieve(fakeEncoder(), { images: [new GenerationImage(floats([1], [1]), floats([1], [1]))], texts }),
      DataError,
      /encoded for the language model/,
    ],
    [
      retrieve(
        {
          ...fakeEncoder(),
          encodeTexts: async (some) =>
            some.map(() => ({ projected: new Float32Array(8).fill(Number.NaN), tokens: [1] })),
        },
        { images, texts },
      ),
      SessionError,
      /"text 0": .*no numbers/,
    ],
    [
      retrieve(
        {
          ...fakeEncoder(),
          matchLogits: async (_, some) => ({
            match: new Float32Array(some.length).fill(Number.NaN),
            noMatch: new Float32Array(some.length),
          }),
        },
        { images, texts },
      ),
      SessionError,
      /matching logits that are no numbers/,
    ],
  ]
  for (const [call, type, message] of wrong) {
    await assert.rejects(call, (error: Error) => error instanceof type && message.test(error.message))
  }
})

test('progress: each step from what is done to its end, with the time that is left', async () => {
  const seen: Record<string, { done: number; total: number; secondsLeft?: number }[]> = {}
  const result = await retrieve(
    fakeEncoder(),
    { images, texts },
    {
      ...small,
      onProgress({ step, ...rest }) {
        seen[step] ??= []
        seen[step].push(rest)
      },
    },
  )
  assert.deepEqual(Object.keys(seen), ['images', 'texts', 'similarity', 'matching'])
  for (const [step, total] of Object.entries({ images: 9, texts: 14, similarity: 9, matching: result.pairs })) {
    const steps = seen[step]!
    assert.deepEqual(steps[0], { done: 0, total })
    assert.deepEqual(
      steps.map(({ done }) => done),
      steps.map(({ done }) => done).toSorted((a, b) => a - b),
    )
    assert.equal(steps.at(-1)!.done, total)
    assert.equal(steps.at(-1)!.secondsLeft, 0)
    assert.ok(steps.slice(1).every(({ secondsLeft }) => secondsLeft! >= 0))
  }
})

test('it stops when it is told to, and leaves no temporary folder', async () => {
  const ours = () => readdirSync(tmpdir()).filter((name) => /^blip2-retrieve-\w{6}$/.test(name))
  const before = ours()
  for (const kind of ['images', 'texts', 'match'] as const) {
    const stop = new AbortController()
    const encoder = fakeEncoder({ onCall: (call) => call.kind === kind && stop.abort(new Error(`during ${kind}`)) })
    await assert.rejects(
      retrieve(encoder, { images, texts }, { ...small, signal: stop.signal }),
      new RegExp(`during ${kind}`),
    )
  }
  assert.deepEqual(
    ours().filter((name) => !before.includes(name)),
    [],
  )
})

test('a work folder: continued by the same call, with another rule too; refused for another', async () => {
  const work = { folder: join(folder, 'work'), model: 'fake 1' }
  const first = await retrieve(fakeEncoder(), { images, texts }, { ...small, work })
  assert.ok(existsSync(join(work.folder, 'matches.records')))
  const never = fakeEncoder({ onCall: () => assert.fail('computed again') })
  assert.deepEqual(await retrieve(never, { images, texts }, { ...small, work }), first)
  const paper = await retrieve(never, { images, texts }, { ...small, work, rule: 'paper' })
  assertRanked(
    rows(paper.textsOfImages),
    (await naiveRetrieval(fakeEncoder(), images, texts, 4, 'paper')).textsOfImages,
  )

  const others: readonly [RegExp, Parameters<typeof retrieve>][] = [
    [/model was "fake 1", is "fake 2"/, [never, { images, texts }, { ...small, work: { ...work, model: 'fake 2' } }]],
    [/k was 4, is 5/, [never, { images, texts }, { ...small, work, k: 5 }]],
    [/imagesDigest was "\w+", is "\w+"\. /, [never, { images: images.toReversed(), texts }, { ...small, work }]],
    [/textsDigest was .*--fresh/, [never, { images, texts: [...texts.slice(1), 'new'] }, { ...small, work }]],
    [/features was "float32", is "float16"/, [never, { images, texts }, { ...small, work, features: 'float16' }]],
  ]
  for (const [message, call] of others) await assert.rejects(retrieve(...call), message)
  const fresh = await retrieve(fakeEncoder(), { images, texts }, { ...small, k: 5, work: { ...work, fresh: true } })
  assert.equal(fresh.textsOfImages.k, 5)
})

test('a file that has changed is another image', async () => {
  const path = join(folder, 'photo.jpg')
  writeFileSync(path, 'one')
  const work = { folder: join(folder, 'changed'), model: 'fake' }
  const call = () =>
    retrieve(fakeEncoder(), { images: [path, ...images], texts }, { ...small, work, skipUnreadable: true })
  await call()
  await call()
  writeFileSync(path, 'another')
  await assert.rejects(call(), /imagesDigest was/)
})

/**
 * LAVIS 506965b, `compute_sim_matrix` with k_test 3 (test/reference/lavis-qformer): which pairs are scored, and how. Matching logits are
 * those of `compute_itm`, where the reference has them, else what its scores leave.
 */
test('the score matrices of the reference', async () => {
  const { facts, tensor } = await openReference(join(referenceDir, 'lavis-qformer'))
  const [imageFeats, textFeat] = [await tensor('pretrain.image_feats'), await tensor('pretrain.text_feat')]
  const [count, queries, embedSize] = imageFeats.shape as [number, number, number]
  const k = facts.retrieval_k_test as number
  const expected = {
    i2t: numbers(await tensor('retrieval.score_i2t')),
    t2i: numbers(await tensor('retrieval.score_t2i')),
  }
  const [matched, shifted] = [
    numbers(await tensor('compute_itm.matched')),
    numbers(await tensor('compute_itm.shifted_text')),
  ]
  const part = (data: ArrayLike<number | bigint>, i: number, size: number) =>
    Float32Array.from(numbers({ data } as never).slice(i * size, (i + 1) * size))

  const logit = (image: number, text: number): number => {
    if (text === image) return matched[image]!
    if (text === (image + 1) % count) return shifted[image]!
    const [i2t, t2i] = [expected.i2t[image * count + text]!, expected.t2i[text * count + image]!]
    return Math.max(i2t, t2i) - itc(image, text)
  }
  const itc = (image: number, text: number): number => {
    const [a, b] = [part(imageFeats.data, image, queries * embedSize), part(textFeat.data, text, embedSize)]
    return Math.max(
      ...Array.from({ length: queries }, (_, q) => b.reduce((sum, value, i) => sum + value * a[q * embedSize + i]!, 0)),
    )
  }
  const encoder: RetrievalEncoder = {
    queries,
    embedSize,
    patches: 1,
    hiddenSize: 1,
    encodeImages: async (some) =>
      some.map((image) => {
        const index = (image as ReturnType<typeof pixel>).data[0]!
        return { projected: part(imageFeats.data, index, queries * embedSize), imageEmbeds: Float32Array.of(index) }
      }),
    encodeTexts: async (some) =>
      some.map((text) => ({ projected: part(textFeat.data, Number(text), embedSize), tokens: [Number(text)] })),
    matchLogits: async ([image], some) => ({
      match: Float32Array.from(some, ([text]) => logit(image!, text!)),
      noMatch: new Float32Array(some.length),
    }),
  }
  const numbered = Array.from({ length: count }, (_, i) => i)
  const result = await retrieve(encoder, { images: numbered.map(pixel), texts: numbered.map(String) }, { k })
  for (const [ranking, scores] of [
    [result.textsOfImages, expected.i2t],
    [result.imagesOfTexts, expected.t2i],
  ] as const) {
    const found = new Array<number>(count * count).fill(scoreOfOthers)
    rows(ranking).forEach((row, query) => {
      for (const { index, score } of row) found[query * count + index] = score
    })
    found.forEach((score, at) => {
      assert.equal(score === scoreOfOthers, scores[at] === -100, `${at}`)
      assert.ok(Math.abs(score - scores[at]!) < 2e-6, `${at}: ${score}, expected ${scores[at]}`)
    })
  }
})
