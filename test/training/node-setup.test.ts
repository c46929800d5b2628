/** What is wrong with a recipe is said before anything is loaded, with what to do. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint, writeSafetensors } from '../../src/checkpoints/node.ts'
import { CheckpointError, ConfigError, DataError } from '../../src/errors.ts'
import { identityOf, setUp } from '../../src/training/node-setup.ts'
import { configs, type TinyRecipe, tinyRecipe, writeTinyData, writeTinyModel } from './tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-setup-'))
after(() => rmSync(root, { recursive: true }))
before(async () => {
  await writeTinyData(root)
  await writeTinyModel(join(root, 'retrieval'), 'retrieval')
  await writeTinyModel(join(root, 'opt-model'), 'opt')
  await writeTinyModel(join(root, 't5-model'), 't5')
  // Whoever opens it fails, so it shows what is looked at first.
  writeFileSync(join(root, 'damaged.safetensors'), 'no checkpoint')
})

const stage1: TinyRecipe = { objective: 'stage1', model: { from: ['retrieval'], tokenizer: 'bert' } }
const stage2: TinyRecipe = { objective: 'stage2', model: { from: ['opt-model'], tokenizer: 'opt' } }
const open = (fields: TinyRecipe) => setUp(tinyRecipe(join(root, 'output'), fields), { folder: root })

async function refuses(
  fields: TinyRecipe,
  kind: typeof ConfigError | typeof DataError | typeof CheckpointError,
  ...lines: (string | RegExp)[]
): Promise<void> {
  await assert.rejects(open(fields), (error: Error) => {
    assert.ok(error instanceof kind, String(error))
    const found = error.message.split('\n')
    assert.equal(found.length, lines.length, error.message)
    for (const [i, line] of lines.entries()) {
      if (typeof line === 'string') assert.equal(found[i], line)
      else assert.match(found[i]!, line)
    }
    return true
  })
}

test('everything that is not there is listed at once, before a checkpoint is opened', async () => {
  await refuses(
    {
      ...stage2,
      model: {
        from: ['damaged.safetensors', 'runs/of/nobody', 'lost.pth'],
        tokenizer: 'tok/of/nobody',
        config: 'lost.json',
      },
      data: {
        train: [
          { kind: 'captions', annotations: 'lost.json', images: 'images' },
          { kind: 'vqa', questions: 'questions.json', annotations: 'answers.json', images: 'lost' },
          { kind: 'table', file: 'lost.csv' },
        ],
        validation: [{ kind: 'folder', images: 'lost' }],
      },
    },
    ConfigError,
    `model.from.1: ${join(root, 'runs/of/nobody')} or ${join(process.cwd(), 'runs/of/nobody')}: no such file or folder, and no name of the hub`,
    /^model\.from\.2: .*lost\.pth: no such file or folder, and no name of the hub$/,
    /^model\.config: .*lost\.json: no such file or folder/,
    /^model\.tokenizer: .*tok\/of\/nobody: no such file or folder, and no name of the hub$/,
    `data.train.0.annotations: ${join(root, 'lost.json')}: no such file or folder`,
    `data.train.1.images: ${join(root, 'lost')}: no such file or folder`,
    `data.train.2.file: ${join(root, 'lost.csv')}: no such file or folder`,
    `data.validation.0.images: ${join(root, 'lost')}: no such file or folder`,
  )
  await refuses(
    { ...stage1, model: { from: ['damaged.safetensors'], tokenizer: 'images', config: configs.retrieval } },
    ConfigError,
    `model.tokenizer: ${join(root, 'images')}: no tokenizer.json, vocab.txt, or vocab.json with merges.txt in it`,
  )
  await refuses(
    { ...stage1, model: { from: ['damaged.safetensors'], tokenizer: 'bert', config: configs.retrieval } },
    CheckpointError,
    /damaged\.safetensors/,
  )
})

test('data that cannot be read', async () => {
  writeFileSync(join(root, 'odd.json'), '{"images": 1}')
  const train = [{ kind: 'captions', annotations: 'odd.json', images: 'images' }]
  await refuses({ ...stage1, data: { train } }, DataError, /^odd\.json: /)
  await refuses(
    { ...stage1, data: { train: [{ kind: 'shards', files: 'lost-{0..1}.tar' }] } },
    DataError,
    /lost-0\.tar: no such file or folder/,
  )
})

test('a model that the objective cannot train, seen before a checkpoint is opened', async () => {
  const from = ['damaged.safetensors']
  await refuses(
    { ...stage1, model: { from, tokenizer: 'bert', config: configs.opt } },
    ConfigError,
    'model.config: qformer_config.use_qformer_text_input: expected true, as stage1 reads texts with the Q-Former',
  )
  await refuses(
    { ...stage2, model: { from, tokenizer: 'opt', config: configs.retrieval } },
    ConfigError,
    'model.config: qformer_config.use_qformer_text_input: expected false, and a text_config, as stage2 has a language model',
  )
  await refuses(
    { objective: 'language-model', model: { from, tokenizer: 't5', config: configs.t5 } },
    ConfigError,
    'model.config: text_config.model_type: expected "opt", as nothing else is trained from nothing, found "t5"',
  )
  await refuses(
    { ...stage2, model: { ...stage2.model, config: { model_type: 'blip-2', text_config: { model_type: 'llama' } } } },
    ConfigError,
    /^model\.config: text_config\.model_type: expected "opt" or "t5"/,
  )
  await refuses(
    { ...stage1, model: { tokenizer: 'bert' } },
    ConfigError,
    /^model\.config: expected the fields of a config\.json, or its file, as no folder in model\.from has one$/,
  )
  await refuses(
    { ...stage1, model: { from: ['retrieval'] } },
    ConfigError,
    'model.tokenizer: expected its folder or name, as no folder in model.from has one',
  )
})

test('texts and tokens that the model has no room for, and images of a wrong size', async () => {
  const data = { max_text_length: 17 }
  await refuses(
    { ...stage1, data },
    ConfigError,
    'data.max_text_length: expected at most 16, which the model has positions for, found 17',
  )
  await refuses(
    { ...stage2, data: { max_text_length: 45 } },
    ConfigError,
    'data.max_text_length: expected at most 44, which the model has positions for, found 45',
  )
  await open({ objective: 'stage2', model: { from: ['t5-model'], tokenizer: 't5' }, data: { max_text_length: 1000 } })
  const small = { ...configs.opt, text_config: { ...configs.opt.text_config, vocab_size: 40 } }
  await refuses(
    { ...stage2, model: { ...stage2.model, config: small } },
    ConfigError,
    'model.tokenizer: 49 tokens, the language model has 40; is it the tokenizer of this model?',
  )
  await refuses(
    { ...stage1, model: { from: ['retrieval'], tokenizer: 'opt' } },
    CheckpointError,
    /^tokenizer: no \[PAD\] .*; the Q-Former needs the tokenizer of bert-base-uncased$/,
  )
  await refuses(
    { ...stage1, data: { image_size: 20 } },
    ConfigError,
    'image size: expected a multiple of the patch size, 8 pixels, found 20',
  )
})

test('a frozen part that no checkpoint has, or has in another size', async () => {
  await refuses(
    { ...stage2, model: { from: ['retrieval'], tokenizer: 'opt', config: configs.opt } },
    CheckpointError,
    'model.from: the language model, which is frozen, is missing: retrieval; add a checkpoint that has it: facebook/opt-2.7b, google/flan-t5-xl, or a BLIP-2 with one',
  )
  await refuses(
    { ...stage1, model: { tokenizer: 'bert', config: configs.retrieval } },
    CheckpointError,
    /^model\.from: the image encoder, which is frozen, is missing: there is no checkpoint in it; add a checkpoint that has it: any BLIP-2/,
  )
  // What trains may be missing: all of it begins fresh.
  await open({ ...stage1, model: { tokenizer: 'bert', config: configs.retrieval, train_image_encoder: true } })
  const wider = { ...configs.opt, vision_config: { ...configs.opt.vision_config, intermediate_size: 64 } }
  await refuses(
    { ...stage2, model: { from: ['opt-model'], tokenizer: 'opt', config: wider } },
    CheckpointError,
    'model.from: 3 tensors of opt-model do not fit model.config:',
    '  vision_model.encoder.layers.0.mlp.fc1.weight: shape (32, 16), the model needs (64, 16)',
    '  vision_model.encoder.layers.0.mlp.fc1.bias: shape (32), the model needs (64)',
    '  vision_model.encoder.layers.0.mlp.fc2.weight: shape (16, 32), the model needs (16, 64)',
    'Is it the configuration of this checkpoint?',
  )
  // Also of a part that trains.
  const deeper = { ...configs.retrieval, num_query_tokens: 5 }
  await refuses(
    { ...stage1, model: { from: ['retrieval'], tokenizer: 'bert', config: deeper } },
    CheckpointError,
    'model.from: 1 tensors of retrieval do not fit model.config:',
    '  query_tokens: shape (1, 4, 16), the model needs (1, 5, 16)',
    'Is it the configuration of this checkpoint?',
  )
})

test('config.json and tokenizer come from the first checkpoint that has them', async () => {
  const folder = join(root, 'complete')
  mkdirSync(folder)
  for (const name of ['config.json', 'model.safetensors'])
    copyFileSync(join(root, 'opt-model', name), join(folder, name))
  copyFileSync(join(root, 'opt', 'tokenizer.json'), join(folder, 'tokenizer.json'))
  const { config, tokenizerFolder, finishedConfig } = await open({
    objective: 'stage2',
    model: { from: ['complete'] },
    data: { image_size: 24 },
  })
  assert.equal(config.vision_config.image_size, 24)
  assert.equal((finishedConfig.vision_config as { image_size: number }).image_size, 24)
  assert.equal(tokenizerFolder, folder)
  const byFile = await open({
    objective: 'stage2',
    model: { from: ['complete/model.safetensors'], config: 'complete/config.json' },
  })
  assert.equal(byFile.config.num_query_tokens, 4)
})

test('a run is the same one wherever its files lie, and however it is watched', async () => {
  const setup = (folder: string, fields: TinyRecipe) => setUp(tinyRecipe(join(root, 'output'), fields), { folder })
  const identity = async (fields: Partial<TinyRecipe>, folder = root) => {
    const recipe = { ...stage1, ...fields }
    return identityOf(tinyRecipe(join(folder, 'output'), recipe), await setup(folder, recipe))
  }
  const one = await identity({})
  const moved = join(root, 'moved')
  await writeTinyData(moved)
  mkdirSync(join(moved, 'retrieval'))
  for (const name of ['config.json', 'model.safetensors'])
    copyFileSync(join(root, 'retrieval', name), join(moved, 'retrieval', name))
  assert.equal(await identity({}, moved), one)
  assert.equal(await identity({ log_every: 1, checkpoints: { every: 3 }, examples: 1, data: { root } }), one)
  assert.equal(await identity({ recompute: true }), one)
  assert.notEqual(await identity({ batch: 4 }), one)
  assert.notEqual(await identity({ data: { mirror: true } }), one)

  const { tensors } = await openCheckpoint(join(moved, 'retrieval'))
  const zeros = Array.from(tensors.values(), ({ name, shape, length }) => ({
    name,
    shape,
    dtype: 'F32' as const,
    data: new Uint8Array(length),
  }))
  await writeSafetensors(join(moved, 'retrieval', 'model.safetensors'), zeros)
  assert.notEqual(await identity({}, moved), one)
})
