import assert from 'node:assert/strict'
import { test } from 'node:test'
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
  assert.match(outcome.stdout, /^blip2-opt-2\.7b +3\.74 billion +15\.0 GB +224 px +caption, vqa, chat$/m)
  assert.match(outcome.stdout, /^blip2_3rdparty_retrieval +1\.17 billion .* match, features, retrieve$/m)
})

test('models --json: one line each', async () => {
  const lines = objects(await blip2(['models', '--json']))
  assert.deepEqual(
    lines.map(({ name }) => name),
    presets.map(({ name }) => name),
  )
  assert.deepEqual(lines[0], {
    name: 'blip2-opt-2.7b',
    kind: 'generation',
    commands: ['caption', 'vqa', 'chat'],
    aliases: ['Salesforce/blip2-opt-2.7b', 'blip2_opt/pretrain_opt2.7b'],
    repository: 'Salesforce/blip2-opt-2.7b',
    download_bytes: 14_979_047_424,
    image_size: 224,
    licence: { weights: 'MIT', language_model: 'OPT-175B licence, non-commercial research (Meta)' },
    parameters: 3_744_706_944,
  })
})
