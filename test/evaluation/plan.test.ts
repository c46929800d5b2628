import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../src/errors.ts'
import { findConfig } from '../../src/evaluation/node-configs.ts'
import { type Choice, makePlan } from '../../src/evaluation/plan.ts'

/** What `blip2 test NAME …` runs: what is loaded, whose numbers stand beside, split and preset. */
async function planned(name: string, choice: Choice = {}) {
  const { benchmark, row } = await findConfig(name)
  const plan = makePlan(benchmark, { row, ...choice })
  return [plan.source, plan.row?.name, plan.split, plan.preset]
}

test('a configuration alone: its model, split and preset', async () => {
  assert.deepEqual(await planned('vqav2'), ['blip2-opt-2.7b', 'blip2-opt-2.7b', 'val', 'paper'])
})

test('a checkpoint that the table has, by any of its names, stands beside its own numbers', async () => {
  const xl = ['blip2-flan-t5-xl', 'val', 'paper']
  for (const checkpoint of ['blip2-flan-t5-xl', 'Salesforce/blip2-flan-t5-xl', 'blip2_t5/pretrain_flant5xl'])
    assert.deepEqual(await planned('vqav2', { checkpoint }), [checkpoint, ...xl])
})

test('any other checkpoint stands beside nothing, unless the configuration is asked for with a model', async () => {
  assert.deepEqual(await planned('vqav2', { checkpoint: './mine' }), ['./mine', undefined, 'val', 'paper'])
  assert.deepEqual(await planned('vqav2/blip2-opt-6.7b', { checkpoint: './mine' }), [
    './mine',
    'blip2-opt-6.7b',
    'val',
    'paper',
  ])
})

test('the names of the published table have the split and the preset that go with them', async () => {
  const caption = 'blip2-opt2.7b_3rdparty-zeroshot_caption'
  assert.deepEqual(await planned(caption), [caption, caption, 'val', 'published'])
  assert.deepEqual(await planned(caption, { checkpoint: './mine', split: 'test', preset: 'lavis' }), [
    './mine',
    caption,
    'test',
    'lavis',
  ])
  const vqa = 'blip2-opt2.7b_3rdparty-zeroshot_vqa'
  assert.deepEqual(await planned(vqa), [vqa, vqa, 'val', 'published'])
  const retrieval = 'blip2_3rdparty_retrieval'
  assert.deepEqual(await planned(retrieval), [retrieval, retrieval, 'test', 'published'])
})

test('names that are not there', async () => {
  const rejects = (name: string, choice: Choice, message: RegExp) =>
    assert.rejects(planned(name, choice), (error) => error instanceof ConfigError && message.test(error.message))
  await rejects('vqav2', { split: 'dev' }, /^split dev: this configuration has val, test-dev$/)
  await rejects('vqav2', { preset: 'mine' }, /^preset mine: this configuration has paper, lavis, published$/)
  await rejects('vqav2/gpt', {}, /^model gpt: this configuration has blip2-opt-2\.7b, /)
  await rejects(
    'imagenet',
    {},
    /^imagenet: there is no such configuration; there are coco-caption, .*blip2_3rdparty_retrieval/,
  )
  await rejects('./no.yaml', {}, /^\.\/no\.yaml: no such file or folder$/)
})
