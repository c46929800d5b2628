/** The two models that the package ships, models/: there, small, usable by name, and honest about photos. `npm run scenes` makes them. */
import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inferenceModel, loadBlip2 } from '../../src/index.ts'
import { builtInModels } from '../../src/models/built-in.ts'
import { findPreset } from '../../src/models/presets.ts'
import { blip2, scene as drawing, objects } from '../cli/cli.ts'
import { repositoryRoot } from '../support/paths.ts'

const scene = join(repositoryRoot, 'examples', 'demo', 'scenes', '1.png')

test('their files: float16 weights, configuration, vocabulary; 10 MB at most', () => {
  const files = (name: string) =>
    readdirSync(join(repositoryRoot, 'models', name), { recursive: true, encoding: 'utf8' }).sort()
  assert.deepEqual(files('scenes'), [
    'config.json',
    'model.safetensors',
    'qformer_tokenizer',
    join('qformer_tokenizer', 'vocab.txt'),
    'tokenizer.json',
  ])
  assert.deepEqual(files('scenes-retrieval'), ['config.json', 'model.safetensors', 'vocab.txt'])
  const sizes = builtInModels.flatMap(({ name }) =>
    files(name).map((file) => statSync(join(repositoryRoot, 'models', name, file)).size),
  )
  assert.ok(sizes.reduce((sum, size) => sum + size) <= 10e6, `${sizes} bytes`)
})

test('by name in the library: the kind that the table says, a caption of a scene, a match', async () => {
  for (const { name, kind, forPhotos } of builtInModels) {
    const model = await loadBlip2(name)
    assert.deepEqual([model.name, model.kind, model.config.vision_config.image_size], [name, kind, 64])
    assert.equal(findPreset(forPhotos)?.kind, kind)
    await model.dispose()
  }
  assert.match((await inferenceModel('scenes', scene)).pred_caption, /\w/)
})

test('a photo is noticed once, a scene is not', async () => {
  const notices: string[] = []
  const model = await loadBlip2('scenes', { onNotice: (text) => notices.push(text) })
  const options = { maxNewTokens: 1 }
  await model.caption(scene, options)
  assert.deepEqual(notices, [])
  await model.captionBatch([drawing, drawing], options)
  await model.caption(drawing, options)
  await model.dispose()
  assert.deepEqual(notices, [
    'scenes knows drawn scenes only, and this is another picture; for photos there is Salesforce/blip2-opt-2.7b',
  ])
})

test('the command knows how long their captions may be', async () => {
  const long = await blip2(['caption', scene, '--min-new-tokens', '40'])
  assert.deepEqual([long.code, long.stderr], [0, ''])
  const longer = await blip2(['caption', scene, '--min-new-tokens', '61'])
  assert.equal(longer.code, 2)
  assert.match(longer.stderr, /--min-new-tokens 61 is more than --max-new-tokens 60/)
})

test('without --model the commands use them', async () => {
  const [caption, answer, match] = await Promise.all([
    blip2(['caption', scene, '--json']),
    blip2(['vqa', scene, 'what is the blue thing?', '--json']),
    blip2(['match', scene, 'a red square', '--json']),
  ])
  for (const outcome of [caption, answer, match]) assert.deepEqual([outcome.code, outcome.stderr], [0, ''])
  assert.deepEqual([objects(caption)[0]!.model, objects(answer)[0]!.model], ['scenes', 'scenes'])
  assert.match(objects<{ pred_caption: string }>(caption)[0]!.pred_caption, /\w/)
})

test('a photo is answered, with one note that has the command for photos', async () => {
  const note = (name: string, size: string, command: string) =>
    `note: ${name} knows drawn scenes only, so its answer about a photo means nothing. ` +
    `A model for photos (${size}, downloaded once):\n  blip2 ${command}\n`
  const [opt, itm] = ['--model Salesforce/blip2-opt-2.7b', '--model Salesforce/blip2-itm-vit-g']
  const short = ['--max-new-tokens', '1']
  const cases: readonly [args: string[], note: string][] = [
    [
      ['caption', drawing, scene, drawing, ...short, '--json'],
      note('scenes', '15.0 GB', `caption ${drawing} ${scene} ${drawing} --max-new-tokens 1 --json ${opt}`),
    ],
    [
      ['vqa', drawing, 'what is "it"?', 'where?', '--model', 'scenes', ...short],
      note('scenes', '15.0 GB', `vqa ${drawing} 'what is "it"?' "where?" --max-new-tokens 1 ${opt}`),
    ],
    [
      ['match', drawing, 'a red square', '--model=scenes-retrieval'],
      note('scenes-retrieval', '4.7 GB', `match ${drawing} "a red square" ${itm}`),
    ],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => blip2(args)))
  for (const [i, [args, expected]] of cases.entries()) {
    assert.equal(outcomes[i]!.code, 0, args.join(' '))
    assert.equal(outcomes[i]!.stderr, expected)
    assert.ok(outcomes[i]!.lines.length > 0)
  }
})

test('they come before a folder of that name, and inspect takes them', async () => {
  // The folder scenes/ of this repository is no model.
  const outcome = await blip2(['inspect', 'scenes', '--json'])
  assert.equal(outcome.code, 0, outcome.stderr)
  const [report] = objects<{ kind: string; runnable: boolean; dtypes: object }>(outcome)
  assert.deepEqual([report!.kind, report!.runnable, Object.keys(report!.dtypes)], ['checkpoint', true, ['F16']])
})
