/** Every objective learns a set by heart, from the model of the one before it; what goes wrong stops the run and says what to do. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { CheckpointError, ConfigError, DataError, SessionError } from '../../src/errors.ts'
import { loadBlip2 } from '../../src/tasks/node-load.ts'
import type { LogLine, StepLine, ValidationLine } from '../../src/training/log.ts'
import { type TrainOptions, train } from '../../src/training/node-train.ts'
import {
  captionOf,
  configs,
  question,
  scenes,
  type TinyRecipe,
  tinyRecipe,
  writeTinyData,
  writeTinyModel,
} from './tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-train-'))
after(() => rmSync(root, { recursive: true }))
before(async () => {
  await writeTinyData(root)
  await writeTinyModel(join(root, 'random'), 'retrieval')
  await writeTinyModel(join(root, 'random-opt'), 'opt')
  await writeTinyModel(join(root, 'random-t5'), 't5')
})

const captions = { kind: 'captions', annotations: 'captions.json', images: 'images' }
const questions = {
  kind: 'vqa',
  questions: 'questions.json',
  annotations: 'answers.json',
  images: 'images',
  image_name: '{}.png',
}
const picture = (i: number) => join(root, 'images', `${i}.png`)

interface Trained {
  readonly model: string
  readonly steps: readonly StepLine[]
  readonly validations: readonly ValidationLine[]
}

/** Trains into the folder `name` and returns what it told. */
async function trained(name: string, fields: TinyRecipe, options: Partial<TrainOptions> = {}): Promise<Trained> {
  const lines: LogLine[] = []
  const recipe = tinyRecipe(join(root, name), { optimiser: { weight_decay: 0 }, validation_batches: 1, ...fields })
  const model = await train(recipe, { folder: root, threads: 1, onLine: (line) => lines.push(line), ...options })
  return {
    model,
    steps: lines.filter((line) => line.kind === 'step'),
    validations: lines.filter((line) => line.kind === 'validation'),
  }
}

/** The mean over the last lines is at most this part of the first. */
function assertFalls({ steps }: Trained, part: number): void {
  const [first, last] = [steps[0]!.loss, steps.at(-1)!.loss]
  assert.ok(last < part * first, `from ${first} to ${last}`)
}

const warmUp = (peak: number) => ({ schedule: { peak, warmup_steps: 8 } })

test('contrastive: an image encoder from nothing; pictures find their captions', async () => {
  const run = await trained('encoder', {
    objective: 'contrastive',
    model: { tokenizer: 'bert', config: configs.retrieval },
    data: { validation: [captions] },
    examples: 8,
    steps: 80,
    ...warmUp(0.01),
  })
  assertFalls(run, 0.75)
  const examples = run.validations.at(-1)!.examples
  assert.ok(
    examples.filter(({ said, reference }) => said === reference).length >= 4,
    JSON.stringify(examples.map(({ said }) => said)),
  )
  const { tensors } = await openCheckpoint(run.model)
  assert.ok(
    [...tensors.keys()].every((name) => name.startsWith('vision_model.')),
    'the text encoder is thrown away',
  )
})

test('language-model: an OPT from nothing', async () => {
  const run = await trained('language', {
    objective: 'language-model',
    model: { tokenizer: 'opt', config: configs.opt },
    batch: 16,
    steps: 100,
    ...warmUp(0.02),
  })
  assertFalls(run, 0.4)
  assert.deepEqual(run.steps[0]!.parts, {})
})

test('stage1: the model matches and captions; its losses add up', async () => {
  const run = await trained('stage1', {
    objective: 'stage1',
    model: { tokenizer: 'bert', from: ['encoder/model', 'random'] },
    data: { validation: [captions] },
    examples: 8,
    steps: 80,
    ...warmUp(0.01),
  })
  assertFalls(run, 0.8)
  const { loss, parts } = run.steps.at(-1)!
  assert.deepEqual(Object.keys(parts), ['loss_itc', 'loss_itm', 'loss_itg'])
  assert.ok(Math.abs(Object.values(parts).reduce((a, b) => a + b) - loss) < 1e-5)
  const model = await loadBlip2(run.model, { threads: 1 })
  try {
    const nearest = new Map<string, string>()
    for (const [i, colour] of scenes.entries()) {
      const found = await model.match(picture(i), scenes.map(captionOf))
      nearest.set(captionOf(colour), found.toSorted((a, b) => b.itc - a.itc)[0]!.text)
    }
    const examples = run.validations.at(-1)!.examples
    assert.deepEqual(new Map(examples.map(({ reference, said }) => [reference, said])), nearest)
    assert.ok([...nearest].filter(([text, found]) => text === found).length >= 6, JSON.stringify([...nearest]))
    assert.match((await model.caption(picture(0))).pred_caption, /^a \w+ square$/)
  } finally {
    await model.dispose()
  }
})

test('stage1 with image_ids, over kept features of random views', async () => {
  const run = await trained('retrieval', {
    objective: 'stage1',
    model: { tokenizer: 'bert', from: ['random'] },
    data: { image_ids: true, cache_features: true, crop: [0.5, 1], mirror: true },
    losses: ['itc', 'itm'],
    steps: 20,
    ...warmUp(0.005),
  })
  assertFalls(run, 0.95)
  assert.deepEqual(Object.keys(run.steps[0]!.parts), ['loss_itc', 'loss_itm'])
  const report = readFileSync(join(root, 'retrieval', 'report.html'), 'utf8')
  assert.match(
    report,
    /8 images, 0\.00 GB; the encoder takes \S+ s for one, so 152 further uses have saved \S+ s\. Each image has one crop/,
  )
})

test('stage2 with OPT: questions are answered and pictures captioned, in parts of a batch', async () => {
  const run = await trained('stage2', {
    objective: 'stage2',
    model: { tokenizer: 'opt', from: ['language/model', 'stage1/model'], config: configs.opt },
    data: { train: [questions], validation: [questions] },
    accumulate: 2,
    validation_batches: 2,
    steps: 80,
    ...warmUp(0.02),
  })
  const model = await loadBlip2(run.model, { threads: 1 })
  try {
    const answers = await model.answerBatch(scenes.map((_, i) => ({ image: picture(i), question })))
    const right = answers.filter(({ pred_answer }, i) => pred_answer === scenes[i])
    assert.ok(right.length >= 6, JSON.stringify(answers.map(({ pred_answer }) => pred_answer)))
    assert.notEqual((await model.caption(picture(0))).pred_caption, '')
  } finally {
    await model.dispose()
  }
  const shown = run.validations.at(-1)!.examples
  assert.equal(shown.length, 6)
  assert.ok(
    shown.filter(({ said, reference }) => said === reference).length >= 4,
    JSON.stringify(shown.map(({ said }) => said)),
  )
  assert.equal(shown[0]!.question, question)
  assert.match(shown[0]!.picture, /^data:image\/jpeg;base64,/)
  const report = readFileSync(join(root, 'stage2', 'report.html'), 'utf8')
  assert.match(report, /best state<\/?t[hd]>step-0000080, validation loss \d/)
})

test('stage2 with T5', async () => {
  const run = await trained('stage2-t5', {
    objective: 'stage2',
    model: { from: ['random-t5'], tokenizer: 't5' },
    data: { prompt: 'a photo of' },
    steps: 30,
    ...warmUp(0.01),
  })
  assertFalls(run, 0.97)
  const model = await loadBlip2(run.model, { threads: 1 })
  try {
    await model.caption(picture(0))
    await model.answer(picture(0), question)
  } finally {
    await model.dispose()
  }
})

test('fine-tuning: the image encoder trains too, at another image size, each layer at its own rate', async () => {
  const run = await trained('fine-tuned', {
    objective: 'stage2',
    model: { from: ['stage2/model'], train_image_encoder: true, layer_decay: 0.5 },
    data: { train: [questions], image_size: 24, crop: [0.5, 1] },
    steps: 5,
    log_every: 1,
    ...warmUp(0.002),
  })
  const { tensors } = await openCheckpoint(run.model)
  const before = await openCheckpoint(join(root, 'stage2', 'model'))
  const position = 'vision_model.embeddings.position_embedding'
  assert.deepEqual(tensors.get(position)!.shape, [1, 10, 16])
  assert.deepEqual(before.tensors.get(position)!.shape, [1, 5, 16])
  const config = JSON.parse(readFileSync(join(run.model, 'config.json'), 'utf8'))
  assert.equal(config.vision_config.image_size, 24)
  const model = await loadBlip2(run.model, { threads: 1 })
  try {
    assert.ok((scenes as readonly string[]).includes((await model.answer(picture(2), question)).pred_answer))
  } finally {
    await model.dispose()
  }
})

/** Quick, and with states on the way. */
const short = (fields: Partial<TinyRecipe> = {}): TinyRecipe => ({
  objective: 'language-model',
  model: { tokenizer: 'opt', config: configs.opt },
  steps: 6,
  log_every: 2,
  checkpoints: { every: 2, keep: 2 },
  ...fields,
})

test('states: the last ones and the best are kept; a run is not begun twice, nor mixed with another', async () => {
  await trained('kept', short())
  const states = join(root, 'kept', 'checkpoints')
  assert.deepEqual(readdirSync(states), ['step-0000004', 'step-0000006'])
  await assert.rejects(
    trained('kept', short()),
    /kept holds a run of 6 steps; go on with --resume, or choose another folder/,
  )
  for (const other of [{ seed: 2 }, { steps: 7 }, { data: { max_text_length: 15 } }])
    await assert.rejects(
      trained('kept', short(other), { resume: true }),
      (error) =>
        error instanceof ConfigError && /holds a run of another recipe, or from other weights/.test(error.message),
    )
  const notes: string[] = []
  // How a run is watched is not part of it.
  const again = await trained('kept', short({ log_every: 3 }), { resume: true, onNotice: (note) => notes.push(note) })
  assert.deepEqual(notes, ['all 6 steps are done already'])
  assert.deepEqual(again.steps, [])
})

test('two runs in one folder at a time', async () => {
  let second: Promise<void> | undefined
  const onStep = () => {
    second ??= assert.rejects(
      trained('shared', short()),
      /shared: in use by this process; wait for it, or name another/,
    )
  }
  await trained('shared', short(), { onStep })
  await second!
})

test('a folder called model that is something else is left alone', async () => {
  mkdirSync(join(root, 'foreign', 'model'), { recursive: true })
  await assert.rejects(
    trained('foreign', short()),
    /foreign\/model is there already, and no run has made it; choose another folder/,
  )
  // That of an earlier run is replaced in the end.
  rmSync(join(root, 'kept', 'checkpoints'), { recursive: true })
  await trained('kept', short({ seed: 2 }))
})

test('a run that was killed behind its last state tells the rest, and writes the model', async () => {
  const recipe = short({
    objective: 'stage1',
    model: { tokenizer: 'bert', from: ['random'] },
    data: { validation: [captions] },
  })
  const { model } = await trained('untold', recipe)
  const log = join(root, 'untold', 'log.jsonl')
  const told = readFileSync(log, 'utf8')
  const weights = readFileSync(join(model, 'model.safetensors'))
  rmSync(model, { recursive: true })
  writeFileSync(log, told.slice(0, -100)) // within the line of the last validation
  await trained('untold', recipe, { resume: true })
  assert.equal(readFileSync(log, 'utf8'), told)
  assert.deepEqual(readFileSync(join(model, 'model.safetensors')), weights)
})

test('Ctrl-C: the step at work is saved, and the run goes on from it', async () => {
  const whole = await trained('whole', short())
  const controller = new AbortController()
  const reason = new Error('stopped')
  const stop = { signal: controller.signal, onStep: ({ step }: StepLine) => step === 3 && controller.abort(reason) }
  await assert.rejects(trained('stopped', short(), stop as Partial<TrainOptions>), reason)
  assert.deepEqual(readdirSync(join(root, 'stopped', 'checkpoints')), ['step-0000002', 'step-0000003'])
  assert.deepEqual(readdirSync(join(root, 'stopped')), ['checkpoints', 'log.jsonl', 'report.html'])
  const resumed = await trained('stopped', short(), { resume: true })
  const bytes = ({ model }: Trained) => readFileSync(join(model, 'model.safetensors'))
  assert.deepEqual(bytes(resumed), bytes(whole))
  assert.deepEqual(
    resumed.steps.map(({ step, loss, gradient_norm }) => [step, loss, gradient_norm]),
    whole.steps.slice(1).map(({ step, loss, gradient_norm }) => [step, loss, gradient_norm]),
  )
})

test('a full disk: the error says so, and the states before are as they were', async () => {
  const handle = await open(join(root, 'captions.json'))
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  const { write } = prototype
  const fill = ({ step }: StepLine) => {
    if (step !== 4) return
    prototype.write = async () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 })
    }
  }
  try {
    await assert.rejects(trained('full', short({ log_every: 10 }), { onStep: fill }), (error) => {
      assert.ok(error instanceof CheckpointError)
      assert.match(
        error.message,
        /weights\.safetensors: the disk is full: \S+ (kB|bytes) are needed, .* free some space/,
      )
      return true
    })
  } finally {
    prototype.write = write
  }
  assert.deepEqual(readdirSync(join(root, 'full', 'checkpoints')), ['step-0000002'])
  const { model } = await trained('full', short({ log_every: 10 }), { resume: true })
  const whole = readFileSync(join(root, 'whole', 'model', 'model.safetensors'))
  assert.deepEqual(readFileSync(join(model, 'model.safetensors')), whole)
})

test('a loss that is no number: the first tensor that went bad is named, and the last state kept', async () => {
  const steep = short({ schedule: { peak: 1e30, warmup_steps: 4 }, checkpoints: { every: 1, keep: 1 } })
  await assert.rejects(trained('steep', steep), (error) => {
    assert.ok(error instanceof SessionError)
    assert.match(
      error.message,
      /^step 3: the loss is NaN; the first tensor that went bad is language_model\.model\.decoder\.layers\.0\.\S+; the state of step 2 is kept: lower schedule\.peak/,
    )
    return true
  })
  assert.deepEqual(readdirSync(join(root, 'steep', 'checkpoints')), ['step-0000002'])
})

test('a picture that cannot be read is recorded once and skipped; too many stop the run', async () => {
  const set = JSON.parse(readFileSync(join(root, 'captions.json'), 'utf8'))
  const withDamaged = (count: number) => {
    const ids = Array.from({ length: count }, (_, i) => 100 + i)
    for (const id of ids) writeFileSync(picture(id), 'no picture')
    writeFileSync(
      join(root, `damaged-${count}.json`),
      JSON.stringify({
        images: [...set.images, ...ids.map((id) => ({ id, file_name: `${id}.png` }))],
        annotations: [...set.annotations, ...ids.map((image_id) => ({ image_id, caption: 'a lost square' }))],
      }),
    )
    const train = [{ ...captions, annotations: `damaged-${count}.json` }]
    return short({ objective: 'stage1', model: { tokenizer: 'bert', from: ['random'] }, data: { train } })
  }
  const notes: string[] = []
  await trained('one-damaged', withDamaged(1), { onNotice: (note) => notes.push(note) })
  const bad = readFileSync(join(root, 'one-damaged', 'bad.jsonl'), 'utf8')
  assert.equal(bad.split('\n').length, 2)
  assert.equal(JSON.parse(bad).key, 'damaged-1.json: image 100')
  assert.ok(JSON.parse(bad).reason.startsWith(picture(100)), bad)
  assert.ok(notes.length >= 4 && notes.every((note) => note.startsWith(`left out: ${picture(100)}`)), notes.join('\n'))

  await assert.rejects(trained('many-damaged', withDamaged(20)), (error) => {
    assert.ok(error instanceof DataError)
    assert.match(error.message, /^11 images cannot be read, the first: /)
    return true
  })
  assert.equal(
    readFileSync(join(root, 'many-damaged', 'bad.jsonl'), 'utf8')
      .trim()
      .split('\n').length,
    11,
  )
})
