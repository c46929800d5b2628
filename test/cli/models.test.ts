import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtInModels } from '../../src/models/built-in.ts'
import { presets } from '../../src/models/presets.ts'
import { blip2, objects } from './cli.ts'

test('models: every published name with its other names and its licence', async () => {
  const outcome = await blip2(['models'])
  assert.equal(outcome.code, 0, outcome.stderr)
  for (const { name, aliases, licence } of presets) {
    for (const one of [name, ...aliases]) assert.ok(outcome.stdout.includes(one), one)
    for (const terms of [licence.weights, licence.languageModel]) {
      assert.ok(terms === 'none' || outcome.stdout.includes(terms), terms)
    }
  }
  assert.match(outcome.stdout, /^blip2-opt-2\.7b +3\.74 billion +15\.0 GB +download +224 px +caption, vqa, chat$/m)
  assert.match(outcome.stdout, /^blip2_3rdparty_retrieval +1\.17 billion .* match, features, retrieve$/m)
})

test('models --json: one line each', async () => {
  const lines = objects(await blip2(['models', '--json']))
  assert.deepEqual(
    lines.map(({ name }) => name),
    [...builtInModels, ...presets].map(({ name }) => name),
  )
  assert.deepEqual(lines[2], {
    name: 'blip2-opt-2.7b',
    kind: 'generation',
    commands: ['caption', 'vqa', 'chat'],
    aliases: ['Salesforce/blip2-opt-2.7b', 'blip2_opt/pretrain_opt2.7b'],
    repository: 'Salesforce/blip2-opt-2.7b',
    download_bytes: 14_979_047_424,
    image_size: 224,
    licence: { weights: 'MIT', language_model: 'OPT-175B licence, non-commercial research (Meta)' },
    built_in: false,
    parameters: 3_744_706_944,
  })
})

test('the built-in models come first, with the size of their files', async () => {
  const [text, json] = await Promise.all([blip2(['models']), blip2(['models', '--json'])])
  const [, first, second] = text.lines
  assert.match(first!, /^scenes +\d\.\d+ million +\d\.\d MB +built in +64 px +caption, vqa, chat$/)
  assert.match(second!, /^scenes-retrieval +\d\.\d+ million +\d\.\d MB +built in +64 px +match, features, retrieve$/)
  assert.match(text.stdout, /^ {2}Apache-2\.0, as this package\n {4}scenes\n {4}scenes-retrieval$/m)
  const [generation, retrieval] = objects(json) as [Record<string, unknown>, Record<string, unknown>]
  for (const { built_in, repository, download_bytes } of [generation, retrieval])
    assert.deepEqual([built_in, repository, download_bytes], [true, null, 0])
  assert.deepEqual(generation.licence, { weights: 'Apache-2.0', language_model: 'Apache-2.0' })
  assert.deepEqual(retrieval.licence, { weights: 'Apache-2.0', language_model: 'none' })
})
