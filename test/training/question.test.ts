/** Fine-tuning for answers, the question given to the Q-Former too (Li et al. 2023, section 4.3): the same at training and when asked. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Item } from '../../src/data/node-loader.ts'
import { ConfigError } from '../../src/errors.ts'
import { logProbability, normaliserOf } from '../../src/generation/softmax.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { createDecoder } from '../../src/tasks/decoder.ts'
import { createEngine } from '../../src/tasks/engine.ts'
import { loadBlip2 } from '../../src/tasks/node-load.ts'
import { questionPrompt } from '../../src/tasks/prompts.ts'
import { createSessions } from '../../src/tasks/sessions.ts'
import { loadTokenizer } from '../../src/tokenizers/node.ts'
import { questionFeeds } from '../../src/training/feeds.ts'
import type { LogLine } from '../../src/training/log.ts'
import { buildGraphs } from '../../src/training/node-graphs.ts'
import { setUp } from '../../src/training/node-setup.ts'
import { train } from '../../src/training/node-train.ts'
import { beginVariables } from '../../src/training/node-variables.ts'
import { normal, numbers } from '../support/tensors.ts'
import {
  configs,
  question,
  scenes,
  type TinyRecipe,
  tinyRecipe,
  writeAskedModel,
  writeTinyData,
  writeTinyModel,
} from './tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-asked-'))
after(() => rmSync(root, { recursive: true }))
before(async () => {
  await writeTinyData(root)
  await writeAskedModel(join(root, 'asked'), root, 'asked')
  await writeAskedModel(join(root, 'askedT5'), root, 'askedT5')
  await writeTinyModel(join(root, 'opt-model'), 'opt')
  await writeTinyModel(join(root, 'first-stage'), 'retrieval')
})

const questions = {
  kind: 'vqa',
  questions: 'questions.json',
  annotations: 'answers.json',
  images: 'images',
  image_name: '{}.png',
}
const recipeOf = (output: string, fields: Partial<TinyRecipe>) =>
  tinyRecipe(join(root, output), {
    objective: 'stage2',
    model: { from: ['asked'] },
    data: { train: [questions], validation: [questions] },
    ...fields,
  })

const item = (text: string, asked?: string): Item => ({
  number: 0,
  text,
  sample: { key: text, texts: [text], ...(asked !== undefined && { question: asked }) },
})

for (const name of ['asked', 'askedT5'] as const) {
  test(`${name}: the loss is what the graphs of inference say of the answers, token by token`, async () => {
    const recipe = recipeOf('loss', { model: { from: [name] } })
    const setup = await setUp(recipe, { folder: root })
    const config = setup.config as Blip2Config
    const items = [item('red', 'what colour is it?'), item('a blue square', 'what is it'), item('photo', 'of what?')]
    const pixels = normal(4, [items.length, 3, 16, 16])
    const device = await openDevice({ threads: 1 })
    const graphs = buildGraphs(device, config, setup.objective, setup.weights)
    const variables = await beginVariables(device, recipe, setup, graphs, undefined)
    const image_hidden = await graphs.encode(pixels)
    const feeds = setup.feeds(items, 'key')
    const { loss } = await graphs.evaluate({ ...feeds, image_hidden }, variables)

    const tokenizer = await loadTokenizer(setup.tokenizerFolder)
    const sessions = createSessions(device, config, setup.weights.tensors)
    const engine = createEngine(sessions)
    let [surprise, count] = [0, 0]
    try {
      const images = await engine.encode(pixels.data as Float32Array, items.length)
      for (const [i, { text, sample }] of items.entries()) {
        const words = setup.questions!.tokenizer.encode(sample.question!, 16)
        const [seen] = await engine.ask([{ image: images[i]!, question: words }])
        const prompt = tokenizer.encode(questionPrompt(config, sample.question!))
        const answer = name === 'asked' ? tokenizer.encode(` ${text}\n`).slice(1) : tokenizer.encode(text) // T5's ends with </s>
        const cache = device.createCache(sessions.cacheShapes(1))
        const decoder = createDecoder(sessions, [{ queryEmbeds: seen!.queryEmbeds, prompt }], {
          cache,
          queriesCached: false,
        })
        let logits = await decoder.prefill()
        for (const [at, token] of answer.entries()) {
          if (at > 0) logits = await decoder.step(Int32Array.of(answer[at - 1]!), Int32Array.of(0))
          surprise -= logProbability(logits[token]!, normaliserOf(logits))
          count++
        }
        await cache.dispose()
      }
    } finally {
      await engine.dispose()
    }
    const found = surprise / count
    assert.ok(Math.abs(found - loss!) < 2e-5, `${found}, trained with ${loss}`)
  })
}

test('what is fed: LAVIS cleans the question; no question is padding alone', async () => {
  const { questions: asked, config } = await setUp(recipeOf('feeds', {}), { folder: root })
  const { tokenizer } = asked!
  const feeds = (items: Item[], maxTextLength = 16) =>
    questionFeeds(items, tokenizer, config as Blip2Config, { maxTextLength, prompt: '' }).question_ids!
  const ids = tokenizer.encode('what colour is it?', 16)
  const padding = ids.map(() => 0)
  const both = feeds([item('red', 'What "colour"; is it?'), item('a red square')])
  assert.deepEqual(both.shape, [ids.length, 2])
  assert.deepEqual(
    numbers(both),
    ids.flatMap((id, i) => [id, padding[i]!]),
  )
  assert.deepEqual(feeds([item('a red square')]).shape, [1, 1])
  assert.deepEqual(numbers(feeds([item('red', question)], 4)), [ids[0], ids[1], ids[2], ids.at(-1)])
})

test('a run: its loss falls, the finished folder has both tokenizers; stopped and resumed, it gives the same model', async () => {
  const fields = {
    model: {
      from: ['opt-model', 'first-stage'],
      tokenizer: 'opt',
      qformer_tokenizer: 'bert',
      config: configs.asked,
    },
    steps: 60,
    optimiser: { weight_decay: 0 },
    schedule: { peak: 0.02, warmup_steps: 8 },
    validation_batches: 1,
    checkpoints: { every: 30 },
    log_every: 10,
  }
  const lines: LogLine[] = []
  const run = (output: string, more: object = {}) =>
    train(recipeOf(output, fields), { folder: root, threads: 1, ...more })
  const folder = await run('whole', { onLine: (line: LogLine) => lines.push(line) })
  assert.deepEqual(readdirSync(folder), ['config.json', 'model.safetensors', 'qformer_tokenizer', 'tokenizer.json'])
  assert.deepEqual(readdirSync(join(folder, 'qformer_tokenizer')), ['vocab.txt'])
  // The language model, random and frozen, can be told little.
  const losses = lines.flatMap((line) => (line.kind === 'step' ? [line.loss] : []))
  assert.ok(losses.at(-1)! < 0.97 * losses[0]!, losses.join())

  const model = await loadBlip2(folder, { threads: 1 })
  try {
    const examples = lines.findLast((line) => line.kind === 'validation')!.examples
    assert.equal(examples.length, 6)
    for (const example of examples) {
      const image = join(root, 'images', `${(scenes as readonly string[]).indexOf(example.reference)}.png`)
      const answer = await model.answer(image, question, { numBeams: 1, maxNewTokens: 30 })
      assert.deepEqual([example.question, example.said], [question, answer.pred_answer])
    }
  } finally {
    await model.dispose()
  }

  const stop = new AbortController()
  const reason = new Error('stopped')
  const onStep = ({ step }: { step: number }) => step === 30 && stop.abort(reason)
  await assert.rejects(run('stopped', { onStep, signal: stop.signal }), reason)
  const again = await run('stopped', { resume: true })
  const weights = (of: string) => readFileSync(join(of, 'model.safetensors'))
  assert.deepEqual(weights(again), weights(folder))
})

test('a tokenizer of questions that is missing, not asked for, or has no room', async () => {
  const refuses = async (fields: Partial<TinyRecipe>, message: string | RegExp) =>
    assert.rejects(setUp(recipeOf('refused', fields), { folder: root }), (error: Error) => {
      assert.ok(error instanceof ConfigError, String(error))
      if (typeof message === 'string') assert.equal(error.message, message)
      else assert.match(error.message, message)
      return true
    })
  const from = ['opt-model', 'first-stage']
  await refuses(
    { model: { from, tokenizer: 'opt', config: configs.asked } },
    'model.qformer_tokenizer: expected its folder or name, such as bert-base-uncased, as no folder in model.from has a qformer_tokenizer',
  )
  await refuses(
    { model: { from, tokenizer: 'opt', qformer_tokenizer: 'bert' } },
    'model.qformer_tokenizer: expected nothing, as the Q-Former reads no question, found "bert"; for one that does: model.config: qformer_reads_question: true',
  )
  await refuses(
    { model: { from: ['asked'], qformer_tokenizer: 'images' } },
    `model.qformer_tokenizer: ${join(root, 'images')}: no tokenizer.json, vocab.txt, or vocab.json with merges.txt in it`,
  )
  await refuses(
    { model: { from: ['askedT5'] }, data: { train: [questions], max_text_length: 17 } },
    'data.max_text_length: expected at most 16, which the model has positions for, found 17',
  )
})
