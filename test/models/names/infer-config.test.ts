import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '../../../src/errors.ts'
import { type Blip2Config, parseConfig } from '../../../src/models/config.ts'
import { inferConfig, type Shapes } from '../../../src/models/names/infer-config.ts'
import { canonicalNames } from '../../../src/models/names/names.ts'
import { takes } from '../../../src/models/names/parts.ts'
import { findPreset } from '../../../src/models/presets.ts'
import { referenceDir } from '../../support/paths.ts'

/** Names and shapes of the full-size models (the README beside the file). */
const fullSize: Readonly<Record<string, Readonly<Record<string, number[]>>>> = JSON.parse(
  readFileSync(join(referenceDir, 'vision', 'checkpoint-keys-full.json'), 'utf8'),
)

function canonicalShapes(list: string): Map<string, readonly number[]> {
  const stored = fullSize[list]!
  const { tensors } = canonicalNames(Object.keys(stored), list)
  return new Map(
    [...tensors].flatMap(([name, origin]) => (origin.kind === 'stored' ? [[name, stored[origin.name]!] as const] : [])),
  )
}

const inferred = (shapes: Shapes, known = {}) => parseConfig(inferConfig(shapes, known, 'x.pth'), 'x.pth')

/** What LAVIS has where Hugging Face has one epsilon (reference/vision/README.md). */
const lavisVision = (name: string) => ({ ...findPreset(name)!.config.vision_config, post_layernorm_eps: 1e-5 })

test('the full-size models have the configuration of their presets, with the epsilons of LAVIS', () => {
  const { image_token_index: none, ...opt } = findPreset('blip2-opt2.7b_3rdparty-zeroshot_vqa')!.config as Blip2Config
  assert.equal(none, undefined)
  assert.deepEqual(inferred(canonicalShapes('lavis-stage2-opt2.7b')), {
    ...opt,
    vision_config: lavisVision('blip2-opt2.7b_3rdparty-zeroshot_vqa'),
  })
  assert.deepEqual(inferred(canonicalShapes('mmpretrain-caption-364-39-layers')), {
    ...opt,
    vision_config: lavisVision('blip2-opt2.7b_3rdparty-zeroshot_caption'),
  })
  const { image_token_index, ...t5 } = findPreset('blip2-flan-t5-xl')!.config as Blip2Config
  assert.deepEqual(inferred(canonicalShapes('lavis-stage2-flant5xl')), {
    ...t5,
    vision_config: lavisVision('blip2-flan-t5-xl'),
  })
  assert.deepEqual(inferred(canonicalShapes('mmpretrain-retrieval-364')), {
    ...findPreset('blip2_3rdparty_retrieval')!.config,
    vision_config: lavisVision('blip2_3rdparty_retrieval'),
  })
  assert.equal(inferred(canonicalShapes('lavis-stage1')).vision_config.image_size, 224)
})

test('CLIP ViT-L: 23 blocks, QuickGELU, one epsilon', () => {
  const shapes = canonicalShapes('lavis-stage1')
  for (const name of [...shapes.keys()]) if (/^vision_model\.(emb|enc)/.test(name)) shapes.delete(name)
  shapes.set('visual_encoder.positional_embedding', [257, 1024])
  shapes.set('visual_encoder.conv1.weight', [1024, 3, 14, 14])
  for (let i = 0; i < 23; i++) shapes.set(`visual_encoder.transformer.resblocks.${i}.mlp.c_fc.weight`, [4096, 1024])
  for (const [name, shape] of shapes)
    if (/crossattention\.attention\.(key|value)\.weight/.test(name)) shapes.set(name, [shape[0]!, 1024])
  assert.deepEqual(inferred(shapes).vision_config, {
    ...findPreset('blip2-opt-2.7b')!.config.vision_config,
    model_type: 'clip_vision_model',
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 23,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
    post_layernorm_eps: 1e-5,
  })
})

test('the fortieth block of EVA ViT-g is not run, and its tensors are left out', () => {
  const shapes = canonicalShapes('mmpretrain-caption-364-39-layers')
  const last = 'vision_model.encoder.layers.39.mlp.fc1.weight'
  shapes.set(last, [6144, 1408])
  const config = inferred(shapes)
  assert.equal(config.vision_config.num_hidden_layers, 39)
  assert.equal(takes(config, last), false)
  assert.equal(takes(config, last.replace('39', '38')), true)
  // A tower that somebody configured with all of its blocks keeps them.
  const whole = { ...config, vision_config: { ...config.vision_config, num_hidden_layers: 40 } }
  assert.equal(takes(whole, last), true)
})

test('a model takes the parts that it has; unknown names are left to the check of all tensors', () => {
  const generation = inferred(canonicalShapes('lavis-stage2-opt2.7b'))
  const retrieval = inferred(canonicalShapes('lavis-stage1'))
  const taken = (name: string) => [takes(generation, name), takes(retrieval, name)]
  assert.deepEqual(taken('query_tokens'), [true, true])
  assert.deepEqual(taken('embeddings.word_embeddings.weight'), [false, true])
  assert.deepEqual(taken('qformer.encoder.layer.3.output.dense.bias'), [false, true])
  assert.deepEqual(taken('qformer.encoder.layer.3.output_query.dense.bias'), [true, true])
  assert.deepEqual(taken('Qformer.cls.predictions.bias'), [false, true])
  assert.deepEqual(taken('temp'), [false, true])
  assert.deepEqual(taken('language_model.shared.weight'), [true, false])
  assert.deepEqual(taken('language_projection.bias'), [true, false])
  assert.deepEqual(taken('something.else'), [true, true])

  const { qformer_config } = generation
  const asked = {
    ...generation,
    qformer_config: { ...qformer_config, use_qformer_text_input: true },
  } as typeof generation
  assert.equal(takes(asked, 'embeddings.word_embeddings.weight'), true)
  assert.equal(takes(asked, 'qformer.encoder.layer.10.output.dense.bias'), true)
  assert.equal(takes(asked, 'qformer.encoder.layer.11.output.dense.bias'), false) // nobody reads it
  assert.equal(takes(asked, 'Qformer.cls.predictions.bias'), false)
  assert.equal(takes(asked, 'itm_head.weight'), false)
})

test('the language model has what its own config.json says, and what BLIP-2 changes of it', () => {
  const shapes = canonicalShapes('lavis-stage2-opt2.7b')
  const own = { model_type: 'opt', vocab_size: 50272, hidden_size: 2560, eos_token_id: 2, num_attention_heads: 20 }
  const { text_config } = inferConfig(shapes, { textConfig: own }, 'x') as { text_config: Record<string, unknown> }
  assert.deepEqual(text_config, { ...own, eos_token_id: 50118 }) // "\n"
  const small = inferConfig(shapes, { textConfig: { ...own, vocab_size: 67 } }, 'x').text_config
  assert.deepEqual(small, { ...own, vocab_size: 67 })
  const t5 = { model_type: 't5', feed_forward_proj: 'gated-gelu', d_model: 2048 }
  const found = inferConfig(canonicalShapes('lavis-stage2-flant5xl'), { textConfig: t5 }, 'x').text_config
  assert.deepEqual(found, { ...t5, dense_act_fn: 'gelu' })
})

test('what shapes do not tell is asked for', () => {
  const shapes = canonicalShapes('lavis-stage2-opt2.7b')
  const refuse = (changed: [string, number[]][], message: RegExp) =>
    assert.throws(
      () => inferred(new Map([...shapes, ...changed])),
      (error: Error) => {
        assert.ok(error instanceof ConfigError)
        assert.match(error.message, message)
        return true
      },
    )
  refuse(
    [['vision_model.embeddings.patch_embedding.weight', [24, 3, 7, 7]]],
    /^x\.pth: vision_config\.num_attention_heads: tensors 24 wide do not tell it, and no published model has them \(1408\); put a config\.json beside the file, in the Hugging Face form$/,
  )
  refuse([['query_tokens', [1, 32, 100]]], /qformer_config\.num_attention_heads: tensors 100 wide .*\(768\)/)
  refuse([['language_model.model.decoder.embed_positions.weight', [42, 40]]], /text_config\..*\(2560, 4096\)/)
  refuse([['query_tokens', []]], /query_tokens is missing or has too few axes/)
  // 100 tokens are no class token and a square of patches.
  refuse([['vision_model.embeddings.position_embedding', [1, 100, 1408]]], /vision_config\.image_size: expected/)
  shapes.delete('language_model.model.decoder.layers.0.fc1.weight')
  assert.throws(() => inferred(shapes), /no config\.json beside it, and language_model.*fc1\.weight is missing/)
})
