import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint, readBytes, readTensor, writeSafetensors } from '../../src/checkpoints/node.ts'
import { ConfigError } from '../../src/errors.ts'
import { type Blip2Config, isRetrievalConfig } from '../../src/models/config.ts'
import { canonicalNames, namesIn } from '../../src/models/names/names.ts'
import { openDevice } from '../../src/runtime/node.ts'
import { createEngine } from '../../src/tasks/engine.ts'
import { atImageSize } from '../../src/tasks/image-size.ts'
import { createMatchingSessions } from '../../src/tasks/matching/sessions.ts'
import { type ModelSource, openSource, type SourceOptions } from '../../src/tasks/node-source.ts'
import { createSessions } from '../../src/tasks/sessions.ts'
import { lavisConfig, writeRenamed } from '../support/lavis.ts'
import { referenceDir } from '../support/paths.ts'
import { openReference } from '../support/reference.ts'
import { numbers } from '../support/tensors.ts'

const temporary = mkdtempSync(join(tmpdir(), 'blip2-source-'))
const cacheDir = join(temporary, 'cache')
after(() => rmSync(temporary, { recursive: true, force: true }))

/** A folder with some files of the reference tree, and what else is given. */
function folderWith(name: string, files: readonly string[], others: Readonly<Record<string, unknown>> = {}): string {
  const folder = join(temporary, name)
  mkdirSync(folder, { recursive: true })
  for (const file of files) cpSync(join(referenceDir, file), join(folder, file.replace('/', '-')))
  for (const [file, json] of Object.entries(others)) writeFileSync(join(folder, file), JSON.stringify(json))
  return folder
}

let [opt, t5, stage1] = ['', '', '']
before(async () => {
  const config = (folder: string) => lavisConfig(join(referenceDir, folder))
  const files = (folder: string, ...names: string[]) => names.map((name) => `${folder}/${name}`)
  const optFiles = files('lavis-stage2-opt', 'model.safetensors', 'mmpretrain-caption.pth', 'checkpoint_trainable.pth')
  opt = folderWith('opt', optFiles, { 'config.json': await config('lavis-stage2-opt'), 'tokenizer.json': {} })
  const t5Files = files('lavis-stage2-t5', 'model.safetensors', 'checkpoint_trainable.pth')
  t5 = folderWith('t5', t5Files, { 'config.json': await config('lavis-stage2-t5') })
  const stage1Files = files('lavis-qformer', 'model.safetensors', 'mmpretrain-retrieval.pth')
  stage1 = folderWith('stage1', stage1Files, { 'config.json': await config('lavis-qformer') })
})

const lavisOpt = () => join(opt, 'lavis-stage2-opt-model.safetensors')
const trainedOpt = () => join(opt, 'lavis-stage2-opt-checkpoint_trainable.pth')

async function values(source: ModelSource): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>(source.replaced)
  for (const [name, tensor] of source.tensors) found.set(name, await readTensor(tensor))
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Tokens of beam search for each image, as cases.json has them: start token first, without what follows the end. */
async function captions(folder: string, source: ModelSource, maxNewTokens: number): Promise<number[][]> {
  const reference = await openReference(join(referenceDir, folder))
  const device = await openDevice({ threads: 1 })
  const engine = createEngine(createSessions(device, source.config as Blip2Config, source.tensors, source.replaced))
  try {
    const pixels = await reference.tensor('in.image')
    const images = await engine.encode(pixels.data as Float32Array, pixels.shape[0] as number)
    const prompt = reference.facts.generate_prompt as number[]
    const options = { numBeams: 5, maxNewTokens }
    const start = folder.endsWith('t5') ? 0 : 2
    const results = []
    for (const image of images) results.push((await engine.generate([{ image, prompt }], options))[0]?.[0])
    return results.map((one) => [start, ...(one?.tokens ?? [])])
  } finally {
    await engine.dispose()
  }
}

function expectedCaptions(facts: Readonly<Record<string, unknown>>): number[][] {
  const cases = facts.generate as readonly Readonly<Record<string, number[]>>[]
  return cases.map((one) => one.generate_beam5_max_length12 as number[])
}

test('OPT: files of LAVIS and mmpretrain, run where they lie, generate what LAVIS generates', async () => {
  const { facts } = await openReference(join(referenceDir, 'lavis-stage2-opt'))
  const expected = expectedCaptions(facts)
  for (const file of [lavisOpt(), join(opt, 'lavis-stage2-opt-mmpretrain-caption.pth')]) {
    const source = await openSource(file, { cacheDir })
    // LAVIS counts the start token: max_length 12 is 11 new ones.
    assert.deepEqual(await captions('lavis-stage2-opt', source, 11), expected, file)
    assert.deepEqual(
      source.files.map(({ path }) => path),
      [file],
    )
    assert.equal(source.tokenizerFolder, opt)
    assert.equal(source.preset, undefined)
  }
})

test('Flan-T5: the same', async () => {
  const { facts } = await openReference(join(referenceDir, 'lavis-stage2-t5'))
  const source = await openSource(join(t5, 'lavis-stage2-t5-model.safetensors'), { cacheDir })
  assert.deepEqual(await captions('lavis-stage2-t5', source, 12), expectedCaptions(facts))
})

test('what LAVIS saves while it trains, with image encoder and language model from elsewhere, is the whole model', async () => {
  const whole = await values(await openSource(lavisOpt(), { cacheDir }))
  // OPT as its publisher has it, and as it was first published; the encoder alone, and inside other models.
  const bare = folderWith('facebook', [], { 'vocab.json': {}, 'merges.txt': '' })
  await writeRenamed(lavisOpt(), join(bare, 'model.safetensors'), (name) =>
    name.startsWith('opt_model.') ? name.slice('opt_model.'.length) : undefined,
  )
  const older = folderWith('older', [])
  await writeRenamed(lavisOpt(), join(older, 'model.safetensors'), (name) =>
    name.startsWith('opt_model.model.') ? name.slice('opt_model.model.'.length) : undefined,
  )
  const encoder = folderWith('encoder', [])
  await writeRenamed(lavisOpt(), join(encoder, 'model.safetensors'), (name) =>
    name.startsWith('visual_encoder.') ? name.slice('visual_encoder.'.length) : undefined,
  )
  const mmpretrain = join(opt, 'lavis-stage2-opt-mmpretrain-caption.pth')
  for (const [imageEncoder, languageModel] of [
    [encoder, bare],
    [mmpretrain, older],
    [lavisOpt(), mmpretrain],
  ] as const) {
    const source = await openSource(trainedOpt(), { cacheDir, imageEncoder, languageModel })
    assert.deepEqual(withoutTied(await values(source)), withoutTied(whole), `${imageEncoder}, ${languageModel}`)
    assert.equal(new Set(source.files.map(({ path }) => path)).size, source.files.length === 3 ? 3 : 2)
  }
})

/** A tied head is stored by some and not by others. */
function withoutTied(all: Map<string, unknown>): Map<string, unknown> {
  return new Map([...all].filter(([name]) => name !== 'language_model.lm_head.weight'))
}

test('a trained file runs with parts of three files in three folders', async () => {
  const { facts } = await openReference(join(referenceDir, 'lavis-stage2-opt'))
  const source = await openSource(trainedOpt(), {
    cacheDir,
    imageEncoder: join(referenceDir, 'lavis-stage2-opt', 'model.safetensors'),
    languageModel: join(temporary, 'facebook'),
  })
  assert.deepEqual(await captions('lavis-stage2-opt', source, 11), expectedCaptions(facts))
})

test('the norm behind the encoder is the one that was trained, not that of the encoder given', async () => {
  const source = await openSource(trainedOpt(), {
    cacheDir,
    imageEncoder: join(referenceDir, 'lavis-qformer', 'model.safetensors'),
    languageModel: lavisOpt(),
  })
  const { tensors } = await openCheckpoint(trainedOpt())
  const norm = source.tensors.get('vision_model.post_layernorm.weight')
  assert.deepEqual(await readTensor(norm!), await readTensor(tensors.get('ln_vision.weight')!))
  assert.equal(norm?.file, trainedOpt())
})

test('the first stage: a retrieval configuration, without what belongs to a language model', async () => {
  const lavis = await openSource(join(stage1, 'lavis-qformer-model.safetensors'), { cacheDir })
  assert.ok(isRetrievalConfig(lavis.config))
  assert.equal(lavis.config.image_text_hidden_size, 12)
  assert.ok(lavis.tensors.has('embeddings.word_embeddings.weight') && lavis.tensors.has('temp'))
  const mmpretrain = await openSource(join(stage1, 'lavis-qformer-mmpretrain-retrieval.pth'), { cacheDir })
  assert.deepEqual(await values(mmpretrain), await values(lavis))
})

test('half precision is widened before it is renamed', async () => {
  const half = join(referenceDir, 'hf-blip2-opt', 'model.fp16.safetensors')
  const expected = await values(await openSource(half, { cacheDir }))
  // LAVIS has no biases of the keys; those of this tiny model are not zero.
  for (const [name, joined] of expected) if (name.endsWith('qkv.bias')) (joined as Float32Array).fill(0, 24, 48)
  const folder = folderWith('half', ['hf-blip2-opt/config.json'])
  cpSync(join(folder, 'hf-blip2-opt-config.json'), join(folder, 'config.json'))
  const { tensors } = await openCheckpoint(half)
  const pieces = namesIn('lavis', [...canonicalNames([...tensors.keys()], half).tensors.keys()], 'opt')
  const written = []
  for (const [name, { name: canonical, third }] of pieces) {
    const { dtype, shape, ...place } = tensors.get(canonical)!
    const bytes = new Uint8Array(await readBytes({ dtype, shape, ...place }))
    const part = bytes.length / 3
    const data = third === undefined ? bytes : third === 'q' ? bytes.subarray(0, part) : bytes.subarray(2 * part)
    written.push({ name, dtype, shape: third === undefined ? shape : [shape[0]! / 3], data })
  }
  await writeSafetensors(join(folder, 'model.safetensors'), written)
  assert.deepEqual(await values(await openSource(folder, { cacheDir })), expected)
})

test('the tokenizer is looked for beside the checkpoint, then beside the language model, or where the option says', async () => {
  const alone = folderWith('alone', ['lavis-stage2-opt/checkpoint_trainable.pth'])
  const source = join(alone, 'lavis-stage2-opt-checkpoint_trainable.pth')
  cpSync(join(opt, 'config.json'), join(alone, 'config.json'))
  const parts = { cacheDir, imageEncoder: lavisOpt(), languageModel: join(temporary, 'facebook') }
  assert.equal((await openSource(source, parts)).tokenizerFolder, join(temporary, 'facebook'))
  assert.equal((await openSource(source, { ...parts, tokenizer: opt })).tokenizerFolder, opt)
  assert.equal((await openSource(source, { ...parts, languageModel: lavisOpt() })).tokenizerFolder, opt)
  assert.equal((await openSource(source, { ...parts, tokenizer: join(opt, 'tokenizer.json') })).tokenizerFolder, opt)
  // A name is looked for on the hub, and only the tokenizer's files are asked for.
  const offline = { ...parts, tokenizer: 'org/tokenizer', offline: true }
  await assert.rejects(openSource(source, offline), /org\/tokenizer@main: offline, and .* lacks/)
})

test('what is missing is said, with the option that names it', async () => {
  const refuse = (source: string, options: SourceOptions, message: RegExp) =>
    assert.rejects(openSource(source, { cacheDir, ...options }), message)
  await refuse(
    trainedOpt(),
    {},
    /^CheckpointError: .*trainable\.pth: the image encoder is not in this checkpoint; say where it is: --image-encoder Salesforce\/blip2-itm-vit-g \(imageEncoder\)$/,
  )
  await refuse(
    trainedOpt(),
    { imageEncoder: lavisOpt() },
    /the language model is not in this checkpoint; say where it is: --language-model facebook\/opt-2\.7b/,
  )
  const trainedT5 = join(t5, 'lavis-stage2-t5-checkpoint_trainable.pth')
  await refuse(trainedT5, { imageEncoder: lavisOpt() }, /--language-model google\/flan-t5-xl/)
  await refuse(
    join(referenceDir, 'vision', 'eva.lavis.pth'),
    {},
    /no query_tokens in it, so it is a part of a BLIP-2 model at most/,
  )
  await refuse(trainedOpt(), { imageEncoder: lavisOpt(), languageModel: stage1File() }, /no language model in it/)
  await refuse(trainedOpt(), { imageEncoder: trainedOpt(), languageModel: lavisOpt() }, /no image encoder in it/)
})

const stage1File = () => join(stage1, 'lavis-qformer-model.safetensors')

test('options for a part that is there are refused', async () => {
  await assert.rejects(openSource(lavisOpt(), { cacheDir, imageEncoder: lavisOpt() }), (error: Error) => {
    assert.ok(error instanceof ConfigError)
    assert.match(error.message, /^--image-encoder \(imageEncoder\): .*model\.safetensors needs none, leave it out$/)
    return true
  })
  await assert.rejects(
    openSource(stage1File(), { cacheDir, languageModel: lavisOpt() }),
    /--language-model .* needs none/,
  )
})

test('without config.json, sizes come from the shapes; a size that was never published asks for one', async () => {
  const bare = folderWith('no-config', ['lavis-stage2-opt/model.safetensors'])
  await assert.rejects(
    openSource(join(bare, 'lavis-stage2-opt-model.safetensors'), { cacheDir }),
    /vision_config\.num_attention_heads: tensors 24 wide do not tell it/,
  )
  const trained = folderWith('trained-no-config', ['lavis-stage2-t5/checkpoint_trainable.pth'])
  const file = join(trained, 'lavis-stage2-t5-checkpoint_trainable.pth')
  await assert.rejects(
    openSource(file, { cacheDir, imageEncoder: lavisOpt(), languageModel: lavisOpt() }),
    /lavis-stage2-opt-model\.safetensors: .*trainable\.pth was trained with another kind of language model, Flan-T5/,
  )
})

test('tensors that are none of the model are errors in any naming', async () => {
  const mixed = folderWith('mixed', [])
  await writeRenamed(lavisOpt(), join(mixed, 'model.safetensors'), (name) =>
    name === 'ln_vision.bias' ? 'ln_vision_backbone.bias' : name,
  )
  cpSync(join(opt, 'config.json'), join(mixed, 'config.json'))
  await assert.rejects(
    openSource(mixed, { cacheDir }),
    /1 of 188 tensors do not go with the names of LAVIS:\n {2}ln_vision_backbone\.bias is a name of mmpretrain/,
  )
  const halved = folderWith('halved', [])
  await writeRenamed(lavisOpt(), join(halved, 'model.safetensors'), (name) =>
    name === 'visual_encoder.blocks.1.attn.q_bias' ? undefined : name,
  )
  cpSync(join(opt, 'config.json'), join(halved, 'config.json'))
  await assert.rejects(openSource(halved, { cacheDir }), /blocks\.1\.attn\.v_bias: the bias of the queries is missing/)
})

/** A first-stage model over CLIP: its tower, and the rest of LAVIS's tiny model, which has the same width. */
async function clipModel(): Promise<string> {
  const folder = folderWith('clip', [])
  const tower = await openCheckpoint(join(referenceDir, 'vision', 'clip.lavis.safetensors'))
  const rest = await openCheckpoint(join(referenceDir, 'lavis-qformer', 'model.safetensors'))
  const others = [...rest.tensors.values()].filter(({ name }) => !name.startsWith('visual_encoder.'))
  const tensors = [...tower.tensors.values(), ...others]
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    await Promise.all(tensors.map(async (tensor) => ({ ...tensor, data: new Uint8Array(await readBytes(tensor)) }))),
  )
  const { clip } = (await openReference(join(referenceDir, 'vision'))).facts as { clip: Record<string, number> }
  const vision_config = {
    model_type: 'clip_vision_model',
    hidden_size: clip.width,
    intermediate_size: 96,
    num_hidden_layers: clip.layers,
    num_attention_heads: clip.heads,
    image_size: clip.image_size,
    patch_size: clip.patch_size,
    layer_norm_eps: clip.layer_norm_eps,
  }
  const config = { ...(await lavisConfig(join(referenceDir, 'lavis-qformer'))), vision_config }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  return folder
}

test('a model over CLIP has every tensor that its graphs ask for, at its own image size and at another', async () => {
  const source = await openSource(await clipModel(), { cacheDir })
  assert.ok(isRetrievalConfig(source.config))
  assert.equal(source.config.vision_config.hidden_act, 'quick_gelu')
  const { config, replaced } = await atImageSize(source.config, source, 42)
  const device = await openDevice({ threads: 1 })
  try {
    createMatchingSessions(device, source.config, source.tensors, source.replaced)
    createMatchingSessions(device, config, source.tensors, replaced)
  } finally {
    await device.dispose()
  }
})

test('positions for another image size are those of LAVIS, for EVA and for CLIP', async () => {
  const reference = await openReference(join(referenceDir, 'vision'))
  const clip = await openSource(await clipModel(), { cacheDir })
  const eva = await openSource(stage1File(), { cacheDir })
  // The other model's tower has other weights: the reference's own take their place.
  const { tensors } = await openCheckpoint(join(referenceDir, 'vision', 'eva.hf.safetensors'))
  const cases = [
    ['clip', clip, clip.tensors, 'visual_encoder.positional_embedding'],
    ['eva', eva, tensors, 'vision_model.embeddings.position_embedding'],
  ] as const
  for (const [name, { config }, stored, positions] of cases) {
    const resized = await atImageSize(
      config,
      { tensors: stored, replaced: new Map([['kept', new Float32Array(1)]]) },
      42,
    )
    assert.equal(resized.config.vision_config.image_size, 42)
    assert.deepEqual([...resized.replaced.keys()], ['kept', positions])
    const expected = numbers(await reference.tensor(`${name}.interpolated_pos_embed`))
    const found = resized.replaced.get(positions) as Float32Array
    assert.equal(found.length, expected.length)
    const difference = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] as number))))
    assert.ok(difference < 2e-6, `${name}: ${difference}`)
  }
})
