/** Where weights begin: checkpoints of any naming, a BERT, copies, and fresh numbers for the rest. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint, readTensor, writeSafetensors } from '../../src/checkpoints/node.ts'
import type { StoredTensor } from '../../src/checkpoints/safetensors.ts'
import { CheckpointError } from '../../src/errors.ts'
import { namesIn } from '../../src/models/names/names.ts'
import { findWeights, type StartingWeights } from '../../src/training/node-found-weights.ts'
import { beginning, isFresh } from '../../src/training/node-starting-weights.ts'
import { repositoryRoot } from '../support/paths.ts'
import { writeTinyModel } from './tiny.ts'

const root = mkdtempSync(join(tmpdir(), 'blip2-weights-'))
after(() => rmSync(root, { recursive: true }))

let model: ReadonlyMap<string, StoredTensor>
before(async () => {
  model = (await openCheckpoint(await writeTinyModel(join(root, 'model'), 'retrieval'))).tensors
})

const query = 'qformer.encoder.layer.1.attention.attention.query.weight'
const norm = 'qformer.encoder.layer.1.output.LayerNorm.weight'
const ofText = 'qformer.encoder.layer.1.intermediate.dense.weight'
const ofQueries = 'qformer.encoder.layer.1.intermediate_query.dense.weight'
const words = 'embeddings.word_embeddings.weight'
const bias = 'Qformer.cls.predictions.bias'

async function values(name: string): Promise<Float32Array> {
  return (await readTensor(model.get(name)!)) as Float32Array
}

async function open(...paths: readonly string[]): Promise<StartingWeights> {
  return (await findWeights(paths.map((path) => ({ path })))).layOut({})
}

const begin = (name: string, shape: readonly number[], weights: StartingWeights, seed = 1) =>
  beginning(name, shape, weights, { seed })

/** A BERT with the text half of the tiny model, and with what the Q-Former does not take; without the last row of its words. */
async function writeBert(file: string, { prefix, oldNorms }: { prefix: string; oldNorms: boolean }): Promise<string> {
  const renamed = (name: string) => {
    const bare = name.replace(/^Qformer\.bert\./, prefix).replace(/^Qformer\./, '')
    return oldNorms
      ? bare.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta')
      : bare
  }
  const tensors = []
  for (const [name, { name: canonical }] of namesIn('lavis', [...model.keys()], undefined)) {
    if (!name.startsWith('Qformer.') || /_query|crossattention/.test(name)) continue
    const shape = model.get(canonical)!.shape.slice()
    if (canonical === words || canonical === bias) shape[0]!--
    const data = (await values(canonical)).slice(
      0,
      shape.reduce((a, b) => a * b),
    )
    tensors.push({ name: renamed(name), dtype: 'F32' as const, shape, data })
  }
  for (const extra of ['pooler.dense.weight', 'embeddings.token_type_embeddings.weight'])
    tensors.push({ name: `${prefix}${extra}`, dtype: 'F32' as const, shape: [2, 16], data: new Float32Array(32) })
  tensors.push({ name: 'cls.seq_relationship.weight', dtype: 'F32' as const, shape: [2], data: new Float32Array(2) })
  await writeSafetensors(join(root, file), tensors)
  return join(root, file)
}

for (const [file, naming] of Object.entries({
  'bert.safetensors': { prefix: 'bert.', oldNorms: true },
  'bare.safetensors': { prefix: '', oldNorms: false },
})) {
  test(`a BERT with names such as ${naming.prefix}encoder.layer.0, ${naming.oldNorms ? 'gamma and beta' : 'weight and bias'}`, async () => {
    const bert = await open(await writeBert(file, naming))
    for (const name of [query, norm, ofText, 'embeddings.position_embeddings.weight', 'qformer.layernorm.bias'])
      assert.deepEqual(
        await begin(name, model.get(name)!.shape, bert),
        { values: await values(name), from: 'checkpoint' },
        name,
      )
    // LAVIS, blip2_qformer.py: the queries' feed-forward begins as the text's.
    assert.deepEqual(await begin(ofQueries, [32, 16], bert), { values: await values(ofText), from: 'text' })
    const normOfQueries = norm.replace('output', 'output_query')
    assert.deepEqual(await begin(normOfQueries, [16], bert), { values: await values(norm), from: 'text' })
    assert.equal(
      (await begin('qformer.encoder.layer.0.crossattention.attention.query.weight', [16, 16], bert)).from,
      'fresh',
    )
    for (const name of [query, ofQueries, bias]) assert.equal(isFresh(name, bert), false, name)
    for (const name of ['query_tokens', 'temp']) assert.equal(isFresh(name, bert), true, name)
    assert.ok(![...bert.tensors.keys()].some((name) => /pooler|token_type|seq_relationship/.test(name)))
  })
}

test('fresh weights have the deviation that was asked for, in the same draws', async () => {
  const nothing: StartingWeights = { tensors: new Map(), replaced: new Map() }
  const drawn = async (deviation: number) => (await beginning(query, [64, 64], nothing, { seed: 1, deviation })).values
  const [narrow, wide] = [await drawn(0.02), await drawn(0.08)]
  const deviation = Math.sqrt(narrow.reduce((sum, value) => sum + value ** 2, 0) / narrow.length)
  assert.ok(Math.abs(deviation - 0.02) < 0.001, `${deviation}`)
  for (const [i, value] of wide.entries()) assert.ok(Math.abs(value - 4 * narrow[i]!) < 1e-7, `${i}: ${value}`)
})

test('[DEC] is a fresh row behind the words of a BERT, and one number of the bias', async () => {
  const bert = await open(join(root, 'bert.safetensors'))
  const table = (await begin(words, [32, 16], bert)).values
  assert.deepEqual(table.subarray(0, 31 * 16), (await values(words)).subarray(0, 31 * 16))
  const row = table.subarray(31 * 16)
  assert.ok(
    row.every((value) => value !== 0 && Math.abs(value) < 0.1),
    `deviation 0.02: ${row}`,
  )
  const biases = (await begin(bias, [32], bert)).values
  assert.deepEqual(biases.subarray(0, 31), (await values(bias)).subarray(0, 31))
  assert.equal(biases[31], 0)
  await assert.rejects(begin(words, [33, 16], bert), (error) => {
    assert.ok(error instanceof CheckpointError)
    assert.match(
      error.message,
      /bert\.safetensors: embeddings\.word_embeddings\.weight: shape \(31, 16\), the recipe's model needs \(33, 16\); is model\.config/,
    )
    return true
  })
})

test('without a checkpoint: numbers that depend on seed and name alone, a temperature of 0.07', async () => {
  const nothing = { tensors: new Map(), replaced: new Map() }
  const { values: first, from } = await begin(query, [16, 16], nothing)
  assert.equal(from, 'fresh')
  assert.deepEqual((await begin(query, [16, 16], nothing)).values, first)
  assert.notDeepEqual((await begin(query, [16, 16], nothing, 2)).values, first)
  const deviation = Math.sqrt(first.reduce((sum, x) => sum + x * x, 0) / 256)
  assert.ok(Math.abs(deviation - 0.02) < 0.004, `${deviation}`)
  for (const name of ['temp', 'contrastive.temp'])
    assert.deepEqual(await begin(name, [], nothing), { values: Float32Array.of(0.07), from: 'fresh' })
  assert.deepEqual((await begin(norm, [2], nothing)).values, Float32Array.of(1, 1))
  assert.deepEqual((await begin('qformer.layernorm.bias', [2], nothing)).values, Float32Array.of(0, 0))
})

test('the first checkpoint that has a weight gives it', async () => {
  const other = join(root, 'other.safetensors')
  await writeSafetensors(other, [
    { name: query, dtype: 'F32', shape: [16, 16], data: new Float32Array(256) },
    { name: 'query_tokens', dtype: 'F32', shape: [1, 4, 16], data: new Float32Array(64) },
  ])
  const first = await open(other, join(root, 'model'))
  assert.deepEqual((await begin(query, [16, 16], first)).values, new Float32Array(256))
  assert.deepEqual((await begin(norm, [16], first)).values, await values(norm))
  const second = await open(join(root, 'model'), other)
  assert.deepEqual((await begin(query, [16, 16], second)).values, await values(query))
})

test('a part of a checkpoint: what trains with the Q-Former belongs to it', async () => {
  const path = join(root, 'model')
  const names = async (only: 'image encoder' | 'Q-Former') => [...(await findWeights([{ path, only }])).tensors.keys()]
  const encoder = await names('image encoder')
  assert.ok(encoder.includes('vision_model.embeddings.patch_embedding.weight'))
  assert.ok(encoder.every((name) => name.startsWith('vision_model.') && !name.includes('post_layernorm')))
  const rest = await names('Q-Former')
  for (const name of [query, 'query_tokens', 'itm_head.weight', 'temp', bias, 'vision_model.post_layernorm.bias'])
    assert.ok(rest.includes(name), name)
  assert.equal(encoder.length + rest.length, model.size)
  await assert.rejects(findWeights([{ path, only: 'language model' }]), /model\.from: .*model: no language model in it/)
})

test('first-stage files under the names of LAVIS and of mmpretrain give the same weights', async () => {
  const folder = join(repositoryRoot, 'test', 'reference', 'lavis-qformer')
  const [lavis, torch, mmpretrain] = await Promise.all(
    ['model.safetensors', 'checkpoint.pth', 'mmpretrain-retrieval.pth'].map((file) => open(join(folder, file))),
  )
  const names = [
    query.replace('1', '0'),
    ofQueries.replace('1', '0'),
    'query_tokens',
    'vision_model.post_layernorm.weight',
    'itm_head.weight',
    'Qformer.cls.predictions.transform.dense.weight',
  ]
  for (const name of names) {
    const { shape } = lavis!.tensors.get(name)!
    const expected = await begin(name, shape, lavis!)
    assert.equal(expected.from, 'checkpoint')
    for (const other of [torch!, mmpretrain!]) assert.deepEqual(await begin(name, shape, other), expected, name)
  }
  // [q, 0, v]: the encoder's keys have no bias, so it is in no file as it is needed.
  const joined = 'vision_model.encoder.layers.0.self_attn.qkv.bias'
  const { values: all } = await begin(joined, [lavis!.replaced.get(joined)!.length], lavis!)
  const third = all.length / 3
  assert.ok(all.subarray(third, 2 * third).every((x) => x === 0) && all.some((x) => x !== 0))
})

test('a language model, an encoder alone, and a file of something else', async () => {
  const { tensors } = await openCheckpoint(await writeTinyModel(join(root, 'opt'), 'opt'))
  const alone = async (file: string, prefix: string, to: string) => {
    const part = [...tensors.values()].filter(({ name }) => name.startsWith(prefix))
    const written = part.map(async ({ name, shape, ...rest }) => ({
      name: to + name.slice(prefix.length),
      dtype: 'F32' as const,
      shape,
      data: (await readTensor({ name, shape, ...rest })) as Float32Array,
    }))
    await writeSafetensors(join(root, file), await Promise.all(written))
    return findWeights([{ path: join(root, file) }])
  }
  const language = await alone('language.safetensors', 'language_model.', '')
  const expected = [...tensors.keys()].filter((name) => name.startsWith('language_model.'))
  assert.deepEqual([...language.tensors.keys()].sort(), expected.sort())
  await writeSafetensors(join(root, 'else.safetensors'), [
    { name: 'conv1.weight', dtype: 'F32', shape: [1], data: new Float32Array(1) },
  ])
  await assert.rejects(
    findWeights([{ path: join(root, 'else.safetensors') }]),
    /else\.safetensors: expected a BLIP-2, an image encoder, a language model \(OPT, Flan-T5\) or a BERT, found conv1\.weight/,
  )
})
