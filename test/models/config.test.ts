import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '../../src/errors.ts'
import { isRetrievalConfig, parseBlip2Config, parseConfig } from '../../src/models/config.ts'
import { referenceDir } from '../support/paths.ts'
import { publishedOpt, publishedT5 } from './published-configs.ts'

/** A copy of a published file with other values, given by their paths. */
function changed(changes: Record<string, unknown>, base: object = publishedOpt): unknown {
  const json = structuredClone(base) as Record<string, object>
  for (const [path, value] of Object.entries(changes)) {
    const [head, tail] = path.split('.') as [string, string | undefined]
    json[head] = tail === undefined ? (value as object) : { ...json[head], [tail]: value }
  }
  return json
}

function refused(json: unknown, ...lines: string[]): void {
  assert.throws(
    () => parseBlip2Config(json, 'config.json'),
    (error) => {
      assert.ok(error instanceof ConfigError, String(error))
      assert.deepEqual(
        error.message.split('\n'),
        lines.map((line) => `config.json: ${line}`),
      )
      return true
    },
  )
}

for (const model of ['hf-blip2-opt', 'hf-blip2-t5']) {
  test(`${model}: a file of transformers 4.27, where every field is written out`, () => {
    const json = JSON.parse(readFileSync(join(referenceDir, model, 'config.json'), 'utf8'))
    const config = parseBlip2Config(json, 'config.json')
    assert.equal(config.num_query_tokens, json.num_query_tokens)
    assert.equal(config.image_token_index, undefined)
    assert.equal(config.use_decoder_only_language_model, json.use_decoder_only_language_model)
    for (const part of ['vision_config', 'qformer_config', 'text_config'] as const) {
      for (const [field, value] of Object.entries(config[part])) {
        const written = json[part][field]
        if (field === 'eos_token_id') assert.deepEqual(value, [written])
        else if (field in json[part]) assert.equal(value, written, `${part}.${field}`)
      }
    }
  })
}

test('the newer OPT file: fields that are left out have the defaults of transformers 4.47', () => {
  const { vision_config, qformer_config, text_config, ...rest } = parseBlip2Config(publishedOpt, 'config.json')
  // Blip2VisionConfig, Blip2QFormerConfig and OPTConfig of transformers 4.47, by hand.
  // biome-ignore format: a table
  assert.deepEqual(vision_config, {
    model_type: 'blip_2_vision_model', hidden_size: 1408, intermediate_size: 6144, num_hidden_layers: 39, num_attention_heads: 16, num_channels: 3, image_size: 224,
    patch_size: 14, hidden_act: 'gelu', layer_norm_eps: 1e-6, post_layernorm_eps: 1e-6, qkv_bias: true, attention_dropout: 0,
  })
  // biome-ignore format: a table
  assert.deepEqual(qformer_config, {
    vocab_size: 30522, hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072, hidden_act: 'gelu',
    hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1, max_position_embeddings: 512, initializer_range: 0.02,
    layer_norm_eps: 1e-12, pad_token_id: 0, position_embedding_type: 'absolute', cross_attention_frequency: 2,
    encoder_hidden_size: 1408, use_qformer_text_input: false,
  })
  // biome-ignore format: a table
  assert.deepEqual(text_config, {
    model_type: 'opt', vocab_size: 50304, hidden_size: 2560, num_hidden_layers: 32, ffn_dim: 10240, num_attention_heads: 32,
    max_position_embeddings: 2048, activation_function: 'relu', do_layer_norm_before: true, _remove_final_layer_norm: false,
    enable_bias: true, layer_norm_elementwise_affine: true, tie_word_embeddings: true, word_embed_proj_dim: 2560, dropout: 0.1,
    attention_dropout: 0, bos_token_id: 2, eos_token_id: [50118], pad_token_id: 1,
  })
  // biome-ignore format: a table
  assert.deepEqual(rest, {
    model_type: 'blip-2', num_query_tokens: 32, image_token_index: 50265, use_decoder_only_language_model: true,
    qformer_reads_question: false,
  })
})

test('the newer Flan-T5 file', () => {
  const config = parseBlip2Config(publishedT5, 'config.json')
  assert.equal(config.image_token_index, 32100)
  assert.equal(config.use_decoder_only_language_model, false)
  // biome-ignore format: a table
  assert.deepEqual(config.text_config, {
    model_type: 't5', vocab_size: 32128, d_model: 2048, d_kv: 64, d_ff: 5120, num_layers: 24, num_decoder_layers: 24, num_heads: 32,
    relative_attention_num_buckets: 32, relative_attention_max_distance: 128, dropout_rate: 0.1, layer_norm_epsilon: 1e-6,
    feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu', is_gated_act: true, tie_word_embeddings: false, bos_token_id: 1,
    eos_token_id: [1], pad_token_id: 0, decoder_start_token_id: 0,
  })
})

test('OPT and T5 without any size have the sizes of OPTConfig() and T5Config()', () => {
  const opt = parseBlip2Config({ model_type: 'blip-2', text_config: {} }, 'config.json').text_config
  assert.ok(opt.model_type === 'opt')
  assert.deepEqual([opt.vocab_size, opt.hidden_size, opt.ffn_dim, opt.num_hidden_layers], [50272, 768, 3072, 12])
  assert.deepEqual([opt.num_attention_heads, opt.bos_token_id, opt.eos_token_id, opt.pad_token_id], [12, 2, [2], 1])
  const gated = { feed_forward_proj: 'gated-gelu', dense_act_fn: 'gelu', tie_word_embeddings: false }
  const t5 = parseBlip2Config({ model_type: 'blip-2', text_config: { model_type: 't5', ...gated } }, 'c').text_config
  assert.ok(t5.model_type === 't5')
  assert.deepEqual([t5.vocab_size, t5.d_model, t5.d_kv, t5.d_ff, t5.num_heads], [32128, 512, 64, 2048, 8])
  assert.deepEqual([t5.num_layers, t5.num_decoder_layers], [6, 6])
  assert.deepEqual([t5.eos_token_id, t5.pad_token_id, t5.decoder_start_token_id], [[1], 0, 0])
})

test('what older files state wins over the defaults', () => {
  const older = changed({ 'vision_config.layer_norm_eps': 1e-5, 'text_config.vocab_size': 50272 })
  const config = parseBlip2Config(older, 'config.json')
  assert.equal(config.vision_config.layer_norm_eps, 1e-5)
  assert.equal(config.text_config.vocab_size, 50272)
  const list = parseBlip2Config(changed({ 'text_config.eos_token_id': [50118, 2] }), 'config.json')
  assert.deepEqual(list.text_config.eos_token_id, [50118, 2])
})

test('null means absent where transformers writes None', () => {
  const nulls = { image_token_index: null, num_query_tokens: null, use_decoder_only_language_model: null }
  const config = parseBlip2Config(changed({ ...nulls, 'text_config.word_embed_proj_dim': null }), 'config.json')
  assert.deepEqual([config.image_token_index, config.num_query_tokens], [undefined, 32])
  assert.equal(config.use_decoder_only_language_model, true)
})

test('the encoder size of the Q-Former follows the image encoder, as in transformers', () => {
  const tiny = { 'vision_config.hidden_size': 32, 'vision_config.num_attention_heads': 4 }
  assert.equal(parseBlip2Config(changed(tiny), 'config.json').qformer_config.encoder_hidden_size, 32)
  refused(
    changed({ ...tiny, 'qformer_config.encoder_hidden_size': 1408 }),
    'qformer_config.encoder_hidden_size: expected vision_config.hidden_size, 32, found 1408',
  )
})

test('tie_word_embeddings may stand at the top for the language model', () => {
  const { tie_word_embeddings, ...text_config } = publishedT5.text_config
  assert.doesNotThrow(() => parseBlip2Config({ ...publishedT5, text_config, tie_word_embeddings }, 'config.json'))
  refused(
    { ...publishedT5, text_config },
    'text_config.tie_word_embeddings: expected false (T5 1.0, whose head is the token table, is not supported), found true',
  )
})

/** Path, value, and what the message says about it. */
// biome-ignore format: a table
const wrongValues: [string, unknown, string][] = [
  ['vision_config.patch_size', '14', 'expected a positive integer, found "14"'],
  ['vision_config.hidden_size', 1408.5, 'expected a positive integer, found 1408.5'],
  ['vision_config.hidden_size', -1408, 'expected a positive integer, found -1408'],
  ['vision_config.hidden_size', 2 ** 31, 'expected a positive integer, found 2147483648'],
  ['vision_config.num_hidden_layers', 1e9, 'expected an integer from 1 to 512, found 1000000000'],
  ['vision_config.num_hidden_layers', 0, 'expected an integer from 1 to 512, found 0'],
  ['vision_config.image_size', 225, 'expected a multiple of patch_size, 14, found 225'],
  ['vision_config.hidden_size', 1409, 'expected a multiple of num_attention_heads, 16, found 1409'],
  ['vision_config.hidden_act', 'quick_gelu', 'expected "gelu" (that of a blip_2_vision_model), found "quick_gelu"'],
  ['vision_config.model_type', 'siglip', 'expected "blip_2_vision_model" or "clip_vision_model", found "siglip"'],
  ['vision_config.layer_norm_eps', 0, 'expected a positive number, found 0'],
  ['vision_config.qkv_bias', 'yes', 'expected true or false, found "yes"'],
  ['vision_config.num_channels', 4, 'expected 3 (images are RGB), found 4'],
  ['vision_config', 'vit-g', 'expected an object, found "vit-g"'],
  ['qformer_config.hidden_size', 769, 'expected a multiple of num_attention_heads, 12, found 769'],
  ['qformer_config.position_embedding_type', 'relative_key', 'expected "absolute" (relative positions are not supported), found "relative_key"'],
  ['qformer_config.use_qformer_text_input', true, 'expected false (before a language model it is as qformer_reads_question), found true'],
  ['qformer_config.cross_attention_frequency', 0, 'expected a positive integer, found 0'],
  ['qformer_config.hidden_dropout_prob', 1.5, 'expected a number from 0 to 1, found 1.5'],
  ['text_config.do_layer_norm_before', false, 'expected true (post-norm models such as opt-350m are not supported), found false'],
  ['text_config.word_embed_proj_dim', 512, 'expected hidden_size, 2560 (models that project their token table, such as opt-350m, are not supported), found 512'],
  ['text_config.enable_bias', false, 'expected true (models without biases are not supported), found false'],
  ['text_config.layer_norm_elementwise_affine', false, 'expected true (norms without weights are not supported), found false'],
  ['text_config._remove_final_layer_norm', true, 'expected false (models without a final norm are not supported), found true'],
  ['text_config.activation_function', 'gelu', 'expected "relu" (OPT has no other activation), found "gelu"'],
  ['text_config.tie_word_embeddings', false, 'expected true (an output head of its own is not supported), found false'],
  ['text_config.eos_token_id', 'stop', 'expected a token id or a list of them, found "stop"'],
  ['text_config.eos_token_id', [], 'expected a token id or a list of them, found []'],
  ['text_config.pad_token_id', -1, 'expected a token id, found -1'],
  ['text_config', undefined, 'expected an object, found nothing'],
  ['text_config.model_type', 'llama', 'expected "opt" or "t5", found "llama"'],
  ['num_query_tokens', 0, 'expected a positive integer, found 0'],
  ['model_type', 'instructblip', 'expected "blip-2", found "instructblip"'],
  ['use_decoder_only_language_model', false, 'expected true for text_config.model_type "opt", found false'],
]

for (const [path, value, message] of wrongValues) {
  test(`refused: ${path} = ${JSON.stringify(value)}`, () => {
    refused(changed({ [path]: value }), `${path}: ${message}`)
  })
}

const exactGelu =
  'text_config.dense_act_fn: expected "gelu" (the exact one, which the released BLIP-2 uses; "gated-gelu" alone means "gelu_new")'

test('refused: T5 that is not gated, or gated with another activation', () => {
  const t5 = (changes: Record<string, unknown>) => changed(changes, publishedT5)
  refused(
    t5({ 'text_config.feed_forward_proj': 'relu', 'text_config.is_gated_act': null }),
    'text_config.feed_forward_proj: expected "gated-gelu" (T5 1.0 is not supported), found "relu"',
  )
  refused(t5({ 'text_config.dense_act_fn': null }), `${exactGelu}, found "gelu_new"`)
  refused(t5({ 'text_config.dense_act_fn': 'silu' }), `${exactGelu}, found "silu"`)
})

test('every wrong field has its line', () => {
  refused(
    changed({ 'vision_config.patch_size': '14', 'text_config.enable_bias': false }),
    'vision_config.patch_size: expected a positive integer, found "14"',
    'text_config.enable_bias: expected true (models without biases are not supported), found false',
  )
})

test('refused: not a configuration', () => {
  refused(null, 'expected an object, found null')
  refused([], 'expected an object, found []')
  refused('x'.repeat(1000), `expected an object, found "${'x'.repeat(79)}…`)
  refused({}, 'model_type: expected "blip-2", found nothing', 'text_config: expected an object, found nothing')
})

test('what the Q-Former reads decides between the two kinds of model', () => {
  // As Salesforce/blip2-itm-vit-g has it: a language model is named that the checkpoint does not have.
  const published = {
    architectures: ['Blip2ForImageTextRetrieval'],
    image_text_hidden_size: 256,
    model_type: 'blip-2',
    num_query_tokens: 32,
    qformer_config: { model_type: 'blip_2_qformer', use_qformer_text_input: true, vocab_size: 30523 },
    text_config: { model_type: 'opt' },
    vision_config: { model_type: 'blip_2_vision_model' },
  }
  const config = parseConfig(published, 'config.json')
  assert.ok(isRetrievalConfig(config))
  assert.equal(config.image_text_hidden_size, 256)
  assert.equal(config.qformer_config.vocab_size, 30523)
  assert.equal(config.qformer_config.encoder_hidden_size, 1408)
  assert.ok(!('text_config' in config))
  assert.ok(!isRetrievalConfig(parseConfig(publishedOpt, 'config.json')))
  assert.throws(() => parseConfig({ ...published, image_text_hidden_size: 0 }, 'config.json'), {
    name: 'ConfigError',
    message: 'config.json: image_text_hidden_size: expected a positive integer, found 0',
  })
})

test('the CLIP encoder has an activation of its own, and LAVIS another epsilon in the final norm', () => {
  const vision_config = { model_type: 'clip_vision_model', hidden_size: 1024, layer_norm_eps: 1e-5 }
  const clip = parseBlip2Config({ ...publishedOpt, vision_config }, 'config.json').vision_config
  assert.equal(clip.hidden_act, 'quick_gelu')
  assert.equal(clip.post_layernorm_eps, 1e-5)
  const lavis = { ...publishedOpt, vision_config: { layer_norm_eps: 1e-6, post_layernorm_eps: 1e-5 } }
  assert.equal(parseBlip2Config(lavis, 'config.json').vision_config.post_layernorm_eps, 1e-5)
})

test('a Q-Former that reads questions before a language model says so in a field of our own', () => {
  const asked = { ...publishedOpt, qformer_reads_question: true }
  const config = parseConfig(asked, 'config.json')
  assert.ok(!isRetrievalConfig(config))
  assert.equal(config.qformer_reads_question, true)
  assert.equal(config.qformer_config.use_qformer_text_input, true)
  const stated = { ...asked, qformer_config: { use_qformer_text_input: true, vocab_size: 30523 } }
  assert.equal(parseBlip2Config(stated, 'config.json').qformer_config.vocab_size, 30523)
  refused(
    { ...asked, qformer_config: { use_qformer_text_input: false } },
    'qformer_config.use_qformer_text_input: expected true (before a language model it is as qformer_reads_question), found false',
  )
  refused({ ...asked, qformer_reads_question: 'yes' }, 'qformer_reads_question: expected true or false, found "yes"')
  // Without a language model there is nobody to ask.
  assert.throws(() => parseConfig({ model_type: 'blip-2', qformer_reads_question: true }, 'config.json'), {
    message: 'config.json: text_config: expected an object, found nothing',
  })
})
