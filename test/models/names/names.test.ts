import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCheckpoint, readBytes } from '../../../src/checkpoints/node.ts'
import { CheckpointError } from '../../../src/errors.ts'
import { canonicalNames, namesIn, type Origin, recogniseNames, unnamedIn } from '../../../src/models/names/names.ts'
import type { Naming, Trait } from '../../../src/models/names/table.ts'
import { referenceDir } from '../../support/paths.ts'

/** Names and shapes of the full-size models, made with the reference implementations (the README beside the file). */
const fullSize: Readonly<Record<string, Readonly<Record<string, number[]>>>> = JSON.parse(
  readFileSync(join(referenceDir, 'vision', 'checkpoint-keys-full.json'), 'utf8'),
)
const namesOf = (list: string) => Object.keys(fullSize[list] as object)

const lists: readonly (readonly [string, Naming, readonly Trait[], languageModel?: 'opt' | 't5'])[] = [
  ['lavis-stage1', 'lavis', ['retrieval']],
  ['lavis-stage2-opt2.7b', 'lavis', ['opt'], 'opt'],
  ['lavis-stage2-flant5xl', 'lavis', ['t5'], 't5'],
  ['hf-blip2-opt-2.7b', 'huggingface', ['opt'], 'opt'],
  ['hf-blip2-flan-t5-xl', 'huggingface', ['t5'], 't5'],
  ['mmpretrain-retrieval-364', 'mmpretrain', ['retrieval']],
  ['mmpretrain-caption-364-39-layers', 'mmpretrain', ['opt'], 'opt'],
]

test('the full-size models: every name is known, and comes back from every naming', () => {
  assert.deepEqual(
    lists.map(([list]) => list),
    Object.keys(fullSize),
  )
  for (const [list, naming, traits, languageModel] of lists) {
    const names = namesOf(list)
    const recognised = canonicalNames(names, list)
    assert.equal(recognised.naming, naming, list)
    assert.deepEqual([...recognised.traits], traits, list)
    const canonical = [...recognised.tensors.keys()]
    assert.deepEqual([...namesIn(naming, canonical, languageModel).keys()].sort(), names.toSorted(), list)
    for (const other of ['huggingface', 'lavis', 'mmpretrain'] as const) {
      const there = namesIn(other, canonical, languageModel)
      const back = canonicalNames([...there.keys()], `${list} as ${other}`)
      assert.deepEqual([...back.tensors.keys()].sort(), canonical.toSorted(), `${list} by way of ${other}`)
    }
  }
})

test('one table: the same model has the same canonical names, from every publisher', () => {
  const canonical = (list: string) => [...canonicalNames(namesOf(list), list).tensors.keys()].sort()
  const buffer = 'Qformer.bert.embeddings.position_ids'
  const without = (list: string) => canonical(list).filter((name) => name !== buffer)
  assert.deepEqual(without('lavis-stage2-opt2.7b'), namesOf('hf-blip2-opt-2.7b').toSorted())
  assert.deepEqual(without('lavis-stage2-flant5xl'), namesOf('hf-blip2-flan-t5-xl').toSorted())
  assert.deepEqual(canonical('lavis-stage1'), canonical('mmpretrain-retrieval-364'))
  assert.deepEqual(canonical('lavis-stage2-opt2.7b'), canonical('mmpretrain-caption-364-39-layers'))
})

test('the names of the first stage are those of Blip2ForImageTextRetrieval; what it does not have keeps those of LAVIS', () => {
  const { tensors } = canonicalNames(namesOf('lavis-stage1'), 'stage 1')
  const expected: Readonly<Record<string, string>> = {
    'embeddings.word_embeddings.weight': 'Qformer.bert.embeddings.word_embeddings.weight',
    'embeddings.position_embeddings.weight': 'Qformer.bert.embeddings.position_embeddings.weight',
    'qformer.layernorm.bias': 'Qformer.bert.embeddings.LayerNorm.bias',
    'qformer.encoder.layer.11.intermediate.dense.weight': 'Qformer.bert.encoder.layer.11.intermediate.dense.weight',
    'qformer.encoder.layer.3.output.LayerNorm.bias': 'Qformer.bert.encoder.layer.3.output.LayerNorm.bias',
    'vision_projection.weight': 'vision_proj.weight',
    'text_projection.bias': 'text_proj.bias',
    'itm_head.weight': 'itm_head.weight',
  }
  for (const [canonical, name] of Object.entries(expected))
    assert.deepEqual(tensors.get(canonical), { kind: 'stored', name }, canonical)
  // The key map, column HF: "-".
  assert.deepEqual(unnamedIn('huggingface', [...tensors.keys()]).sort(), [
    'Qformer.bert.embeddings.position_ids',
    'Qformer.cls.predictions.bias',
    'Qformer.cls.predictions.decoder.bias',
    'Qformer.cls.predictions.decoder.weight',
    'Qformer.cls.predictions.transform.LayerNorm.bias',
    'Qformer.cls.predictions.transform.LayerNorm.weight',
    'Qformer.cls.predictions.transform.dense.bias',
    'Qformer.cls.predictions.transform.dense.weight',
    'temp',
  ])
  assert.deepEqual(unnamedIn('lavis', [...tensors.keys()]), [])
  assert.deepEqual(unnamedIn('mmpretrain', [...tensors.keys()]), [])
})

test('the name of vision_neck.fc depends on what else an mmpretrain file has', () => {
  const meaning = (names: string[]) =>
    [...canonicalNames(names, 'file').tensors.keys()].find((name) => /proj/.test(name))
  const shared = ['query_tokens', 'vision_neck.fc.weight', 'ln_vision_backbone.weight']
  assert.equal(meaning([...shared, 'multimodal_head.fc.weight']), 'vision_projection.weight')
  assert.equal(meaning([...shared, 'text_neck.fc.bias']), 'vision_projection.weight')
  assert.equal(meaning([...shared, 'text_backbone.model.decoder.layers.0.fc1.bias']), 'language_projection.weight')
  // As saved: without the language model.
  assert.equal(meaning(shared), 'language_projection.weight')
})

test('where LAVIS names the projection after the language model, it must be known', () => {
  const canonical = ['query_tokens', 'language_projection.weight']
  assert.deepEqual([...namesIn('lavis', canonical, 'opt').keys()], ['query_tokens', 'opt_proj.weight'])
  assert.deepEqual([...namesIn('lavis', canonical, 't5').keys()], ['query_tokens', 't5_proj.weight'])
  assert.throws(() => namesIn('lavis', canonical, undefined), {
    name: 'CheckpointError',
    message:
      'language_projection.weight: opt_proj.weight or t5_proj.weight in LAVIS? It depends on the language model, which is not in the file; name it (--language-model)',
  })
  assert.deepEqual([...namesIn('mmpretrain', canonical, undefined).keys()], ['query_tokens', 'vision_neck.fc.weight'])
})

test('two tensors never get one name', () => {
  const both = ['vision_projection.weight', 'language_projection.weight']
  assert.throws(
    () => namesIn('mmpretrain', both, 'opt'),
    /vision_neck\.fc\.weight: mmpretrain has one name for vision_projection\.weight and language_projection\.weight/,
  )
  assert.throws(
    () => canonicalNames(['query_tokens', 'opt_proj.weight', 't5_proj.weight'], 'both.pth'),
    /both\.pth: 1 of 3 .*\n {2}t5_proj\.weight is language_projection\.weight, as another one is/,
  )
})

test('unknown names, another model and mixtures are errors that list them', () => {
  const lavis = namesOf('lavis-stage1')
  const refuse = (names: readonly string[], message: RegExp) =>
    assert.throws(
      () => canonicalNames(names, 'file.pth'),
      (error: Error) => {
        assert.ok(error instanceof CheckpointError)
        assert.match(error.message, message)
        return true
      },
    )
  refuse(
    [...lavis, 'visual_encoder.norm.weight'],
    /^file\.pth: 1 of 858 tensors do not go with the names of LAVIS:\n {2}visual_encoder\.norm\.weight is unknown$/,
  )
  refuse([...lavis, 'multimodal_head.fc.bias'], /multimodal_head\.fc\.bias is a name of mmpretrain; do not mix the two/)
  refuse(
    ['wte.weight', 'h.0.attn.bias'],
    /^file\.pth: no BLIP-2 checkpoint: expected the names of Hugging Face, LAVIS, mmpretrain, found wte\.weight, h\.0\.attn\.bias$/,
  )
  refuse([], /no BLIP-2 checkpoint/)
  refuse(
    Array.from({ length: 30 }, (_, i) => lavis[i] as string).concat(Array.from({ length: 12 }, (_, i) => `extra.${i}`)),
    /12 of 42 .*(\n.*){8}\n {2}and 4 more$/,
  )
  refuse(
    lavis.filter((name) => name !== 'visual_encoder.blocks.7.attn.v_bias'),
    /1 of 856 .*\n {2}visual_encoder\.blocks\.7\.attn\.q_bias: the bias of the values is missing$/,
  )
})

test('names that only look like ones of the table are unknown', () => {
  const known = ['query_tokens', 'ln_vision.weight', 'ln_vision.bias', 'itm_head.bias', 'itm_head.weight', 'temp']
  const hostile = [
    'visual_encoder.blocks.{i}.norm1.weight',
    'visual_encoder.blocks.007.norm1.weight',
    'visual_encoder.blocks.99999.norm1.weight',
    'visual_encoder.blocks.-1.norm1.weight',
    'visual_encoder.blocks.1.norm1.weights',
    '__proto__',
    'constructor',
  ]
  for (const name of hostile) {
    const { problems } = recogniseNames([...known, name]) as { problems: readonly { name: string }[] }
    assert.deepEqual(
      problems.map((one) => one.name),
      [name],
    )
  }
})

test('position numbers of any model keep their name', () => {
  const { tensors } = canonicalNames(['query_tokens', 'vision_model.embeddings.position_ids'], 'old')
  assert.deepEqual([...tensors.keys()], ['query_tokens', 'vision_model.embeddings.position_ids'])
  assert.deepEqual([...namesIn('lavis', [...tensors.keys()], undefined).keys()], [...tensors.keys()])
})

/** Canonical name → bytes. */
async function canonicalBytes(file: string): Promise<Map<string, string>> {
  const { tensors } = await openCheckpoint(join(referenceDir, file))
  const bytes = async (name: string) => Buffer.from(await readBytes(tensors.get(name)!)).toString('base64')
  const read = async (origin: Origin) => {
    if (origin.kind === 'stored') return bytes(origin.name)
    const [q, v] = [await readBytes(tensors.get(origin.q)!), await readBytes(tensors.get(origin.v)!)]
    return Buffer.concat([Buffer.from(q), Buffer.alloc(q.byteLength), Buffer.from(v)]).toString('base64')
  }
  const found = new Map<string, string>()
  for (const [name, origin] of canonicalNames([...tensors.keys()], file).tensors) found.set(name, await read(origin))
  return found
}

test('the reference files: renamed tensors equal one another, byte for byte', async () => {
  const same = [
    ['vision/eva.hf.safetensors', 'vision/eva.lavis.safetensors', 'vision/eva.lavis.pth', 'vision/eva.mmpretrain.pth'],
    ['lavis-qformer/model.safetensors', 'lavis-qformer/checkpoint.pth', 'lavis-qformer/mmpretrain-retrieval.pth'],
    ['lavis-stage2-opt/model.safetensors', 'lavis-stage2-opt/mmpretrain-caption.pth'],
  ]
  for (const [first, ...others] of same) {
    const expected = await canonicalBytes(first as string)
    for (const file of others) {
      const found = await canonicalBytes(file)
      assert.deepEqual([...found].sort(), [...expected].sort(), `${file} and ${first}`)
    }
  }
})

test('what LAVIS saves while it trains is a part of the whole', async () => {
  for (const folder of ['lavis-stage2-opt', 'lavis-stage2-t5']) {
    const whole = await canonicalBytes(`${folder}/model.safetensors`)
    const trained = await canonicalBytes(`${folder}/checkpoint_trainable.pth`)
    assert.ok(trained.has('language_projection.weight') && trained.has('vision_model.post_layernorm.weight'))
    for (const [name, bytes] of trained) assert.equal(bytes, whole.get(name), name)
  }
})
