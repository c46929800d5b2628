/** A model whose Q-Former reads the question too (`qformer_reads_question`). That it was trained on what it is asked: test/training. */
import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CheckpointError, ConfigError } from '../../src/errors.ts'
import { type Blip2, loadBlip2 } from '../../src/index.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { createEngine, type Engine } from '../../src/tasks/engine.ts'
import type { GenerationImage } from '../../src/tasks/image.ts'
import { openSource } from '../../src/tasks/node-source.ts'
import { createSessions } from '../../src/tasks/sessions.ts'
import { assertTensor } from '../support/assert.ts'
import { normal } from '../support/tensors.ts'
import { writeAskedModel, writeTinyData } from '../training/tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-question-'))
const folder = join(root, 'asked')
let model: Blip2
before(async () => {
  await writeTinyData(root)
  await writeAskedModel(folder, root, 'asked')
  model = await loadBlip2(folder, { threads: 1 })
})
after(async () => {
  await model.dispose()
  rmSync(root, { recursive: true })
})

const picture = (i: number) => join(root, 'images', `${i}.png`)
const questions = ['what colour is it?', 'a photo of a square?', 'red?', 'is it a red, green, blue or white square']

/** Runs the parts of a model without its texts. */
async function withEngine(source: string, use: (engine: Engine) => Promise<void>): Promise<void> {
  const { config, tensors } = await openSource(source)
  const device = await openDevice({ threads: 1 })
  const engine = createEngine(createSessions(device, config as Blip2Config, tensors))
  try {
    await use(engine)
  } finally {
    await engine.dispose()
  }
}

const pixels = (images: number) => normal(3, [images, 3, 16, 16]).data as Float32Array

test('the question decides what the queries bring of an image, in any batch what it decides alone', () =>
  withEngine(folder, async (engine) => {
    const [first, second] = (await engine.encode(pixels(2), 2)) as [GenerationImage, GenerationImage]
    const items = [
      { image: first, question: [2, 7, 8, 9, 3] },
      { image: second, question: [2, 7, 3] },
      { image: first, question: [2, 3] },
      { image: second, question: [2, 12, 3] },
    ]
    const together = await engine.ask(items)
    for (const [i, item] of items.entries()) {
      const [alone] = await engine.ask([item])
      assertTensor(together[i]!.queryEmbeds, alone!.queryEmbeds, 2e-6)
      assertTensor(together[i]!.queryOutput, alone!.queryOutput, 2e-6)
      for (const other of [item.image, ...together.filter((_, j) => j !== i)])
        assert.throws(() => assertTensor(together[i]!.queryEmbeds, other.queryEmbeds, 1e-3))
    }
  }))

test('answers of a batch are those of each alone; an image that is encoded already is not encoded again', async () => {
  const items = questions.map((question, i) => ({ image: picture(i % 2), question }))
  const answers = await model.answerBatch(items)
  const encoded = await model.encode(picture(0))
  for (const [i, { image, question }] of items.entries()) {
    const alone = await model.answer(image, question)
    assert.equal(answers[i]!.pred_answer, alone.pred_answer)
    if (i % 2 !== 0) continue
    const again = await model.answer(encoded, question)
    assert.equal(again.pred_answer, alone.pred_answer)
    assert.equal(again.timing_ms.decode, undefined)
  }
  const chat = await model.chat(encoded)
  assert.equal((await chat.ask(questions[0]!)).question, questions[0])
})

test('a prompt of your own beside the question: what `answer` says; items without a question are as they are alone', async () => {
  const [question] = questions as [string]
  const prompt = `Question: ${question} Answer:`
  const search = { maxNewTokens: 10, numBeams: 5, lengthPenalty: -1 }
  const items = [
    { image: picture(0), prompt, question },
    { image: picture(1), prompt },
  ]
  const texts = await model.generateBatch(items, search)
  assert.equal(texts[0]![0]!.text, (await model.answer(picture(0), question, search)).pred_answer)
  const [alone] = await model.generateBatch([items[1]!], search)
  assert.equal(texts[1]![0]!.text, alone![0]!.text)
})

test('without a question everything is as in the model that reads none', async () => {
  const plain = join(root, 'plain')
  cpSync(folder, plain, { recursive: true })
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  writeFileSync(join(plain, 'config.json'), JSON.stringify({ ...config, qformer_reads_question: false }))
  const other = await loadBlip2(plain, { threads: 1 })
  try {
    const said = (of: Blip2) => Promise.all([of.caption(picture(0)), of.generate(picture(1), { prompt: 'a photo of' })])
    const texts = ([{ captions }, generated]: Awaited<ReturnType<typeof said>>) => [captions, generated]
    assert.deepEqual(texts(await said(model)), texts(await said(other)))
    const image = await other.encode(picture(0))
    await assert.rejects(model.answer(image, questions[0]!), (error: Error) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.message, 'the image was encoded by another kind of model; encode it with this one')
      return true
    })
  } finally {
    await other.dispose()
  }
})

test('T5', async () => {
  const t5 = await loadBlip2(await writeAskedModel(join(root, 'asked-t5'), root, 'askedT5'), { threads: 1 })
  try {
    const items = questions.map((question, i) => ({ image: picture(i % 2), question }))
    const answers = await t5.answerBatch(items)
    for (const [i, { image, question }] of items.entries())
      assert.equal(answers[i]!.pred_answer, (await t5.answer(image, question)).pred_answer)
  } finally {
    await t5.dispose()
  }
})

test('a tokenizer of the questions that is missing, or another one', async () => {
  const missing = join(root, 'missing')
  cpSync(folder, missing, { recursive: true })
  rmSync(join(missing, 'qformer_tokenizer'), { recursive: true })
  await assert.rejects(loadBlip2(missing), (error: Error) => {
    assert.ok(error instanceof CheckpointError)
    assert.equal(
      error.message,
      `${join(missing, 'qformer_tokenizer')}: no tokenizer, and the Q-Former of this model reads questions; copy the files of bert-base-uncased there: tokenizer.json or vocab.txt or vocab.json with merges.txt`,
    )
    return true
  })
  const wrong = join(root, 'wrong')
  cpSync(folder, wrong, { recursive: true })
  rmSync(join(wrong, 'qformer_tokenizer', 'vocab.txt'))
  copyFileSync(join(root, 'opt', 'tokenizer.json'), join(wrong, 'qformer_tokenizer', 'tokenizer.json'))
  await assert.rejects(loadBlip2(wrong), /the Q-Former needs the tokenizer of bert-base-uncased/)
})
