import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { imageEncoderNames, languageModelNames } from '../../../src/models/names/supplements.ts'
import { referenceDir } from '../../support/paths.ts'

const fullSize: Readonly<Record<string, object>> = JSON.parse(
  readFileSync(join(referenceDir, 'vision', 'checkpoint-keys-full.json'), 'utf8'),
)
const namesOf = (list: string) => Object.keys(fullSize[list] as object)
const starting = (list: string, start: string) => namesOf(list).filter((name) => name.startsWith(start))

const language = {
  opt: starting('hf-blip2-opt-2.7b', 'language_model.').sort(),
  t5: starting('hf-blip2-flan-t5-xl', 'language_model.').sort(),
}

test('a language model of its publisher, as it is and as OPT was first published, and one inside a BLIP-2', () => {
  const sources: readonly (readonly [string[], readonly string[]])[] = [
    [language.opt.map((name) => name.slice('language_model.'.length)), language.opt],
    [language.t5.map((name) => name.slice('language_model.'.length)), language.t5],
    [namesOf('hf-blip2-opt-2.7b'), language.opt],
    [namesOf('lavis-stage2-flant5xl'), language.t5],
    [namesOf('mmpretrain-caption-364-39-layers'), language.opt],
  ]
  for (const [names, expected] of sources) assert.deepEqual([...languageModelNames(names, 'x').keys()].sort(), expected)

  const decoder = language.opt.filter((name) => name.includes('.decoder.'))
  const alone = [...decoder.map((name) => name.slice('language_model.model.'.length)), 'decoder.version']
  const found = languageModelNames(alone, 'x')
  assert.deepEqual([...found.keys()].sort(), decoder)
  assert.deepEqual(found.get('language_model.model.decoder.layers.3.fc1.bias'), {
    kind: 'stored',
    name: 'decoder.layers.3.fc1.bias',
  })
})

test('an image encoder in a BLIP-2, or alone with the last block and the head that BLIP-2 leaves out', () => {
  const eva = starting('lavis-stage1', 'visual_encoder.').map((name) => name.slice('visual_encoder.'.length))
  const canonical = starting('hf-blip2-opt-2.7b', 'vision_model.').filter((name) => !name.includes('post_layernorm'))
  const found = imageEncoderNames([...eva, 'norm.weight', 'norm.bias', 'head.weight', 'head.bias'], 'eva_vit_g.pth')
  assert.deepEqual([...found.keys()].sort(), canonical.toSorted())
  assert.deepEqual(found.get('vision_model.encoder.layers.2.self_attn.qkv.bias'), {
    kind: 'joined',
    q: 'blocks.2.attn.q_bias',
    v: 'blocks.2.attn.v_bias',
  })
  const block = 'transformer.resblocks.0.ln_1.weight'
  const clip = ['conv1.weight', 'class_embedding', 'positional_embedding', block, 'ln_post.weight', 'proj']
  assert.ok(imageEncoderNames(clip, 'clip_vit_L.pth').has('visual_encoder.conv1.weight'))

  const inside = imageEncoderNames(namesOf('mmpretrain-retrieval-364'), 'x')
  assert.deepEqual(inside.get('vision_model.post_layernorm.bias'), { kind: 'stored', name: 'ln_vision_backbone.bias' })
  assert.ok(!inside.has('query_tokens'))
})

test('a source without the part is an error', () => {
  assert.throws(
    () => languageModelNames(namesOf('lavis-stage1'), 's1.pth'),
    /^CheckpointError: s1\.pth: no language model in it/,
  )
  assert.throws(() => languageModelNames([], 'x'), /found nothing/)
  assert.throws(() => languageModelNames(['query_tokens', 'opt_model.lm_head.weight'], 'x'), /no language model in it/)
  assert.throws(
    () => imageEncoderNames(language.opt, 'opt'),
    /^CheckpointError: opt: no image encoder in it: expected .* found language_model/,
  )
})
