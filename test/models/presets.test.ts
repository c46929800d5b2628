import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Blip2Config, parseBlip2Config, type RetrievalConfig } from '../../src/models/config.ts'
import { findPreset, type GenerationPreset, presets } from '../../src/models/presets.ts'
import { imageFeaturesGraph, matchGraph, textFeaturesGraph } from '../../src/models/retrieval.ts'
import { recorderParams } from '../../src/nn/index.ts'
import { publishedOpt, publishedT5 } from './published-configs.ts'

const generation = presets.filter((preset): preset is GenerationPreset => preset.kind === 'generation')

function configOf(name: string): Blip2Config {
  const preset = findPreset(name)
  assert.ok(preset?.kind === 'generation', name)
  return preset.config
}

test('the sizes are those of the published files', () => {
  assert.deepEqual(configOf('blip2-opt-2.7b'), parseBlip2Config(publishedOpt, 'config.json'))
  assert.deepEqual(configOf('blip2-flan-t5-xl'), parseBlip2Config(publishedT5, 'config.json'))
})

test('every configuration is one that the reader accepts, and is complete', () => {
  for (const { name, config } of generation) assert.deepEqual(parseBlip2Config(config, name), config, name)
})

/**
 * Parameters by the architecture, written out here on its own: Hugging Face layout, so with a bias of 3·hidden for q, k and v (the key
 * part of which is zero), a tied OPT head, an untied T5 head, and without the text half of the Q-Former.
 */
function parameters({ vision_config: v, qformer_config: q, text_config: t }: Blip2Config): number {
  const linear = (from: number, to: number) => from * to + to
  const norm = (size: number) => 2 * size
  const patches = (v.image_size / v.patch_size) ** 2
  const vision =
    v.hidden_size * (1 + 1 + patches) +
    linear(3 * v.patch_size ** 2, v.hidden_size) +
    v.num_hidden_layers *
      (2 * norm(v.hidden_size) +
        linear(v.hidden_size, 3 * v.hidden_size) +
        linear(v.hidden_size, v.hidden_size) +
        linear(v.hidden_size, v.intermediate_size) +
        linear(v.intermediate_size, v.hidden_size)) +
    norm(v.hidden_size)
  const attention = (source: number) =>
    2 * linear(q.hidden_size, q.hidden_size) + 2 * linear(source, q.hidden_size) + norm(q.hidden_size)
  const crossLayers = Math.ceil(q.num_hidden_layers / q.cross_attention_frequency)
  const feedForward = linear(q.hidden_size, q.intermediate_size) + linear(q.intermediate_size, q.hidden_size)
  const qformer =
    32 * q.hidden_size +
    norm(q.hidden_size) +
    q.num_hidden_layers * (attention(q.hidden_size) + feedForward + norm(q.hidden_size)) +
    crossLayers * attention(v.hidden_size)
  if (t.model_type === 'opt') {
    const block = 4 * linear(t.hidden_size, t.hidden_size) + 2 * norm(t.hidden_size)
    const mlp = linear(t.hidden_size, t.ffn_dim) + linear(t.ffn_dim, t.hidden_size)
    const tables = (t.vocab_size + t.max_position_embeddings + 2) * t.hidden_size
    const opt = tables + t.num_hidden_layers * (block + mlp) + norm(t.hidden_size)
    return vision + qformer + linear(q.hidden_size, t.hidden_size) + opt
  }
  const inner = 4 * t.d_model * t.num_heads * t.d_kv + t.d_model
  const gated = 3 * t.d_model * t.d_ff + t.d_model
  const bias = t.relative_attention_num_buckets * t.num_heads
  const encoder = t.num_layers * (inner + gated) + bias + t.d_model
  const decoder = t.num_decoder_layers * (2 * inner + gated) + bias + t.d_model
  const t5 = 2 * t.vocab_size * t.d_model + encoder + decoder
  return vision + qformer + linear(q.hidden_size, t.d_model) + t5
}

test('the published caption model: its parameters, and what the published count adds', () => {
  const caption = findPreset('blip2-opt2.7b_3rdparty-zeroshot_caption') as GenerationPreset
  const { hidden_size, num_hidden_layers, intermediate_size } = caption.config.vision_config
  // mmpretrain and LAVIS store no bias for the keys: one hidden_size less in every block.
  const counted = parameters(caption.config) - num_hidden_layers * hidden_size
  assert.equal(counted, 3_745_216_384)
  const fortieth =
    4 * hidden_size +
    (4 * hidden_size ** 2 + 3 * hidden_size) +
    2 * hidden_size * intermediate_size +
    intermediate_size +
    hidden_size
  assert.equal(fortieth, 25_248_768)
  assert.equal(caption.publishedParameters, counted + fortieth)
})

test('the download sizes are four bytes per parameter', () => {
  for (const { name, config, downloadBytes } of generation) {
    if (name.startsWith('blip2-opt2.7b_3rdparty')) continue // The files are those of blip2-opt-2.7b.
    const text = config.text_config
    // The hub shows 3.87 billion parameters for this one, and 3.74 for the other with OPT-2.7b: its tied head is stored twice.
    const twice = name === 'blip2-opt-2.7b-coco' && text.model_type === 'opt' ? text.vocab_size * text.hidden_size : 0
    assert.equal(downloadBytes, 4 * (parameters(config) + twice), name)
  }
  const billions = (name: string) => (findPreset(name)!.downloadBytes / 4e9).toFixed(1)
  // What the hub shows for each repository: 3.74, 3.87, 7.75, 3.94 and 12.2 billion.
  assert.deepEqual(
    ['blip2-opt-2.7b', 'blip2-opt-2.7b-coco', 'blip2-opt-6.7b', 'blip2-flan-t5-xl', 'blip2-flan-t5-xxl'].map(billions),
    ['3.7', '3.9', '7.8', '3.9', '12.2'],
  )
  const weights = (name: string) => findPreset(name)!.downloadBytes
  assert.equal(weights('blip2-opt2.7b_3rdparty-zeroshot_caption'), weights('blip2-opt-2.7b'))
})

test('the retrieval models without what Hugging Face leaves out: captioning head and temperature', () => {
  const retrieval = presets.filter(({ kind }) => kind === 'retrieval')
  assert.deepEqual(
    retrieval.map(({ name }) => name),
    ['blip2_3rdparty_retrieval', 'blip2-itm-vit-g'],
  )
  for (const { name, config, downloadBytes } of retrieval) {
    const { params, total } = recorderParams()
    imageFeaturesGraph(params, config as RetrievalConfig)
    textFeaturesGraph(params, config as RetrievalConfig)
    matchGraph(params, config as RetrievalConfig, 'batch')
    assert.equal(downloadBytes, 4 * total(), name)
  }
})

test('names and aliases lead to one preset each, in any case', () => {
  const names = presets.flatMap(({ name, aliases }) => [name, ...aliases])
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length)
  for (const preset of presets)
    for (const name of [preset.name, ...preset.aliases]) {
      assert.equal(findPreset(name), preset)
      assert.equal(findPreset(name.toUpperCase()), preset)
    }
  assert.equal(findPreset('blip2'), undefined)
  assert.equal(findPreset(''), undefined)
})

test('the three names of the published model table, and the LAVIS names', () => {
  const repository = (name: string) => findPreset(name)?.repository
  assert.equal(repository('blip2-opt2.7b_3rdparty-zeroshot_caption'), 'Salesforce/blip2-opt-2.7b')
  assert.equal(repository('blip2-opt2.7b_3rdparty-zeroshot_vqa'), 'Salesforce/blip2-opt-2.7b')
  assert.equal(findPreset('blip2_3rdparty_retrieval')?.kind, 'retrieval')
  assert.equal(repository('blip2_opt/pretrain_opt2.7b'), 'Salesforce/blip2-opt-2.7b')
  assert.equal(repository('blip2_opt/caption_coco_opt6.7b'), 'Salesforce/blip2-opt-6.7b-coco')
  assert.equal(repository('blip2_t5/caption_coco_flant5xl'), 'Salesforce/blip2-flan-t5-xl-coco')
  assert.equal(repository('blip2_t5/pretrain_flant5xxl'), 'Salesforce/blip2-flan-t5-xxl')
})

test('"a photo of" and 364 pixels belong to the fine-tuned models and to the published caption configuration', () => {
  for (const { name, captionPrompt, config } of generation) {
    const caption = name.endsWith('-coco') || name.endsWith('_caption')
    assert.equal(captionPrompt, caption ? 'a photo of' : '', name)
    assert.equal(config.vision_config.image_size, caption ? 364 : 224, name)
  }
})
