import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { ConfigError } from '../../src/errors.ts'
import { parseRecipe } from '../../src/training/recipe.ts'
import { repositoryRoot } from '../support/paths.ts'

type Fields = Record<string, unknown>

const smallest = {
  objective: 'stage1',
  output: 'runs/a',
  model: { from: ['weights'] },
  data: { train: [{ kind: 'captions', annotations: 'captions.json', images: 'images' }] },
  batch: 8,
  steps: 100,
  optimiser: {},
  schedule: { peak: 1e-4 },
}
const { model, data, optimiser, schedule } = smallest

test('the smallest recipe, and what it leaves to the defaults', () => {
  assert.deepEqual(parseRecipe(smallest, 'a.yaml'), {
    ...smallest,
    seed: 1,
    model: { from: ['weights'], initial_deviation: 0.02, train_image_encoder: false, layer_decay: 1 },
    data: {
      train: [{ kind: 'captions', annotations: 'captions.json', images: 'images', weight: 1 }],
      validation: [],
      mirror: false,
      max_text_length: 32,
      prompt: '',
      cache_features: false,
      image_ids: false,
    },
    accumulate: 1,
    recompute: false,
    // The paper's: beta2 0.98 (section 3.4).
    optimiser: { weight_decay: 0.05, beta1: 0.9, beta2: 0.98, eps: 1e-8 },
    schedule: { kind: 'cosine', peak: 1e-4, min: 0, warmup_steps: 0, warmup_start: 0 },
    losses: ['itc', 'itm', 'itg'],
    checkpoints: { every: 1000, keep: 2 },
    log_every: 10,
    validation_batches: 8,
    examples: 6,
  })
})

test('every kind of data, with its weight', () => {
  const train = [
    { kind: 'captions', annotations: 'a.json', images: 'i', weight: 3 },
    { kind: 'vqa', questions: 'q.json', annotations: 'a.json', images: 'i', image_name: '{:012}.jpg', weight: 0.5 },
    { kind: 'folder', images: 'i', weight: 1 },
    { kind: 'table', file: 'a.csv', weight: 1 },
    { kind: 'shards', files: '{00..99}.tar', buffer: 500, weight: 1 },
  ]
  assert.deepEqual(parseRecipe({ ...smallest, objective: 'stage2', data: { train } }, 'a.yaml').data.train, train)
  const text = [{ kind: 'text', file: 'a.txt', weight: 1 }]
  assert.deepEqual(
    parseRecipe({ ...smallest, objective: 'language-model', data: { train: text } }, '').data.train,
    text,
  )
})

/** The lines of the error, each without the name of the file. */
function problems(recipe: unknown): string[] {
  try {
    parseRecipe(recipe, 'a.yaml')
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.split('\n').map((line) => {
      assert.ok(line.startsWith('a.yaml: '), line)
      return line.slice('a.yaml: '.length)
    })
  }
  return []
}

test('an error says which field, what was expected and what was found', () => {
  const cases: readonly (readonly [Fields, string])[] = [
    [{ objective: 'stage3' }, 'objective: expected one of contrastive, language-model, stage1, stage2, found "stage3"'],
    [{ output: undefined }, 'output: expected string, found nothing'],
    [{ model: { config: 5 } }, 'model.config: expected a file, or fields, found 5'],
    [{ model: 'blip2' }, 'model: expected object, found "blip2"'],
    [{ data: { ...data, mirror: 'yes' } }, 'data.mirror: expected boolean, found "yes"'],
    [{ data: { ...data, max_text_length: 1 } }, 'data.max_text_length: expected a whole number of at least 2, found 1'],
    [{ output: '' }, 'output: expected a path or name, found ""'],
    [{ batch: 0 }, 'batch: expected a whole number of at least 1, found 0'],
    [{ batch: 2.5 }, 'batch: expected a whole number, found 2.5'],
    [{ batch: '8' }, 'batch: expected a whole number, found "8"'],
    [{ batch: undefined }, 'batch: expected a whole number, found nothing'],
    [{ schedule: { peak: -1 } }, 'schedule.peak: expected a positive number, found -1'],
    [{ schedule: { peak: 1, min: -1 } }, 'schedule.min: expected 0 or a positive number, found -1'],
    [{ optimiser: { beta2: 1 } }, 'optimiser.beta2: expected a number from 0 to below 1, found 1'],
    [{ model: { from: ['a', ''] } }, 'model.from.1: expected a path or name, found ""'],
    [{ model: { ...model, layer_decay: 1.5 } }, 'model.layer_decay: expected a number from 0 to 1, found 1.5'],
    [{ model: { ...model, initial_deviation: 0 } }, 'model.initial_deviation: expected a positive number, found 0'],
    [{ data: { train: [] } }, 'data.train: expected at least one set, found []'],
    [
      { data: { train: [{ kind: 'zip', file: 'a' }] } },
      'data.train.0.kind: expected a kind of data: captions, vqa, folder, table, shards or text, found "zip"',
    ],
    [{ data: { train: [{ kind: 'table', file: '' }] } }, 'data.train.0.file: expected a path or name, found ""'],
    [
      { data: { train: [{ kind: 'folder', images: 'i', weight: 0 }] } },
      'data.train.0.weight: expected a positive number, found 0',
    ],
  ]
  for (const [changes, problem] of cases) assert.deepEqual(problems({ ...smallest, ...changes }), [problem])
})

test('unknown fields are refused by name, all problems are told at once, and a file that is no recipe too', () => {
  assert.deepEqual(problems({ ...smallest, bacth: 3 }), ['Unrecognized key: "bacth"'])
  assert.deepEqual(problems({ ...smallest, optimiser: { lr: 3 } }), ['optimiser: Unrecognized key: "lr"'])
  assert.equal(problems({ ...smallest, batch: 0, steps: 0, output: 7 }).length, 3)
  for (const nothing of [null, 'a recipe', []]) assert.equal(problems(nothing).length, 1)
  const long = problems({ ...smallest, output: ['x'.repeat(500)] })
  assert.equal(long.length, 1)
  assert.match(long[0] as string, /^output: .{1,150}…$/)
})

test('fields that do not go together are refused', () => {
  const of = (objective: string, changes: Fields = {}): Fields => ({ ...smallest, objective, ...changes })
  const [captions] = data.train
  const vqa = { kind: 'vqa', questions: 'q.json', images: 'i' }
  const cases: readonly (readonly [Fields, string])[] = [
    [of('stage1', { accumulate: 3 }), 'batch: expected a multiple of accumulate, 3, found 8'],
    [
      of('stage1', { data: { ...data, crop: [1, 0.5] } }),
      'data.crop: expected two areas, the smaller one first, found [1,0.5]',
    ],
    [
      of('stage1', { data: { ...data, crop: [0, 0.5] } }),
      'data.crop: expected two areas, the smaller one first, found [0,0.5]',
    ],
    [
      of('stage1', { schedule: { ...schedule, kind: 'lavis' } }),
      'schedule.steps_per_epoch: expected the steps of an epoch, which the schedule "lavis" goes by, found nothing',
    ],
    [
      of('stage1', { schedule: { ...schedule, steps_per_epoch: 5 } }),
      'schedule.steps_per_epoch: expected nothing, as only the schedule "lavis" goes by epochs, found 5',
    ],
    [
      of('contrastive', { model: { train_image_encoder: true } }),
      'model.train_image_encoder: expected false for the objective contrastive, found true',
    ],
    [
      of('stage1', { model: { layer_decay: 0.9 } }),
      'model.layer_decay: expected 1 where the image encoder does not train, found 0.9',
    ],
    [
      of('stage1', { model: { train_image_encoder: true }, data: { ...data, cache_features: true } }),
      'data.cache_features: expected false where no frozen image encoder is used, found true',
    ],
    [
      of('language-model', { data: { train: [{ kind: 'text', file: 'a' }], mirror: true } }),
      'data.mirror: expected false for the objective language-model, found true',
    ],
    [
      of('stage2', { data: { ...data, image_ids: true } }),
      'data.image_ids: expected false for the objective stage2, found true',
    ],
    [
      of('stage1', { data: { ...data, prompt: 'a photo of' } }),
      'data.prompt: expected "" for the objective stage1, found "a photo of"',
    ],
    [of('stage2', { losses: ['itc'] }), 'losses: expected nothing for the objective stage2, found ["itc"]'],
    [of('stage1', { losses: ['itc', 'itc'] }), 'losses: expected each once, found ["itc","itc"]'],
    [
      of('stage1', { data: { train: [captions, vqa] } }),
      'data.train.1.kind: expected captions for the objective stage1, found "vqa"',
    ],
    [
      of('stage2', { data: { ...data, validation: [{ kind: 'text', file: 'a' }] } }),
      'data.validation.0.kind: expected data with images for the objective stage2, found "text"',
    ],
  ]
  for (const [recipe, problem] of cases) assert.deepEqual(problems(recipe), [problem])
  assert.deepEqual(problems(of('stage1', { optimiser, losses: ['itc', 'itm'], data: { ...data, crop: [0.5, 1] } })), [])
})

test('the recipes of the repository are recipes', () => {
  const folder = join(repositoryRoot, 'recipes')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  // test-… say what a model is tested on.
  const names = files.filter((name) => name.endsWith('.yaml') && !basename(name).startsWith('test-'))
  assert.ok(names.length > 5)
  for (const name of names) parseRecipe(parse(readFileSync(join(folder, name), 'utf8')), name)
})
