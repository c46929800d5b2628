import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openCheckpoint, readBytes, writeSafetensors } from '../../src/checkpoints/node.ts'
import { count } from '../../src/cli/inspect/count.ts'
import { inspect, type Report } from '../../src/cli/inspect/report.ts'
import { findSubject } from '../../src/cli/inspect/subject.ts'
import { elements } from '../../src/cli/inspect/tensors.ts'
import { layoutOf } from '../../src/models/names/layouts.ts'
import { canonicalNames } from '../../src/models/names/names.ts'
import { findPreset, presets } from '../../src/models/presets.ts'
import { lavisConfig, writeRenamed } from '../support/lavis.ts'
import { referenceDir } from '../support/paths.ts'
import { blip2, objects, tiny } from './cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-inspect-'))
after(() => rmSync(folder, { recursive: true }))

async function report(source: string): Promise<Report> {
  return inspect(source, await findSubject(source)).report
}

/**
 * Parameters of each published model without the encoder's key biases (39 · 1,408). The same numbers come from the formula that
 * test/models/presets.test.ts writes out by hand; with the key biases they are a quarter of the download's bytes, that is, what the
 * hub shows for each repository (3.74, 3.75, 7.75, 3.94, 12.2 billion).
 */
const published: Readonly<Record<string, number>> = {
  'blip2-opt-2.7b': 3_744_706_944,
  'blip2-opt-2.7b-coco': 3_745_298_304,
  'blip2-opt-6.7b': 7_752_814_464,
  'blip2-opt-6.7b-coco': 7_753_405_824,
  'blip2-flan-t5-xl': 3_942_391_680,
  'blip2-flan-t5-xl-coco': 3_942_983_040,
  'blip2-flan-t5-xxl': 12_229_541_760,
  'blip2-opt2.7b_3rdparty-zeroshot_caption': 3_745_216_384,
  'blip2-opt2.7b_3rdparty-zeroshot_vqa': 3_744_625_024,
  blip2_3rdparty_retrieval: 1_173_191_358,
  'blip2-itm-vit-g': 1_172_599_998, // LAVIS's first stage at 224 pixels: test/reference/vision/checkpoint-key-map.md
}

test('every published name is counted', async () => {
  assert.deepEqual(
    Object.keys(published),
    presets.map(({ name }) => name),
  )
  for (const [name, parameters] of Object.entries(published)) {
    const counted = await report(name)
    assert.equal(counted.parameters, parameters, name)
    assert.equal(counted.kind, 'preset')
    const parts = Object.values(counted.parts)
    assert.equal(
      parts.reduce((sum, part) => sum + part.parameters, 0),
      parameters,
      name,
    )
    assert.equal(
      parts.reduce((sum, part) => sum + part.tensor_count, 0),
      counted.tensors.length,
      name,
    )
    // Stored as float32, with 54,912 key biases.
    assert.equal(counted.bytes, 4 * (parameters + 39 * 1408), name)
  }
  const alias = await report('salesforce/BLIP2-opt-2.7b')
  assert.equal(alias.parameters, published['blip2-opt-2.7b'])
})

test('the published caption model: by part, and what the published count adds', async () => {
  const outcome = await blip2(['inspect', 'blip2-opt2.7b_3rdparty-zeroshot_caption'])
  assert.equal(outcome.code, 0, outcome.stderr)
  for (const number of ['3,745,216,384', '54,912', '3,745,271,296', '3,770,465,152', '25,248,768']) {
    assert.ok(outcome.stdout.includes(number), number)
  }
  assert.match(outcome.stdout, /fortieth block \(25,248,768\), which no forward pass uses/)
  assert.match(outcome.stdout, /^language model .* 2,651,596,800 /m) // all of facebook/opt-2.7b
  const { preset } = await report('blip2-opt2.7b_3rdparty-zeroshot_caption')
  assert.equal(preset?.repository, 'Salesforce/blip2-opt-2.7b')
  // 3,770,465,152 - 3,744,625,024 - 25,248,768: position embeddings of 26² in place of 16² patches, 1,408 wide.
  assert.equal((26 ** 2 - 16 ** 2) * 1408, 591_360)
  const vqa = await report('blip2-opt2.7b_3rdparty-zeroshot_vqa')
  assert.match(vqa.notes.join('\n'), /also has .*\(25,248,768\).*364 px in place of 224 \(591,360\)$/)
})

test('the retrieval model is counted from names and shapes, part by part', async () => {
  const outcome = await blip2(['inspect', 'blip2_3rdparty_retrieval', '--json'])
  assert.equal(outcome.code, 0)
  const [found] = objects<Report>(outcome)
  assert.equal(found!.format, 'huggingface-blip2-retrieval')
  assert.equal(found!.preset?.download_bytes, findPreset('blip2_3rdparty_retrieval')!.downloadBytes)
  // checkpoint-key-map.md, "Parameter counts": ViT at 364 px and ln_vision; queries; Q-Former with text parts; two projections, itm_head, temp.
  const parts = Object.entries(found!.parts).map(([name, { parameters }]) => [name, parameters])
  assert.deepEqual(parts, [
    ['image encoder', 986_485_888 + 2_816],
    ['query tokens', 24_576],
    ['Q-Former', 186_282_811],
    ['comparison', 2 * 196_864 + 1_538 + 1],
  ])
  // The list of the reference implementation, with the copies of tied tensors and the positions' numbers that files have besides.
  const path = join(referenceDir, 'vision', 'checkpoint-keys-full.json')
  const stored = Object.keys(JSON.parse(readFileSync(path, 'utf8'))['lavis-stage1'])
  const besides = [
    'Qformer.bert.embeddings.position_ids',
    ...['weight', 'bias'].map((end) => `Qformer.cls.predictions.decoder.${end}`),
  ]
  const expected = [...canonicalNames(stored, '').tensors.keys()].filter((name) => !besides.includes(name))
  assert.deepEqual(found!.tensors.map(({ name }) => name).sort(), expected.sort())
})

test('the original layouts are recognised and counted as their authors do', () => {
  // Names and shapes of the full-size models, from the reference implementations themselves (the README beside the file).
  const path = join(referenceDir, 'vision', 'checkpoint-keys-full.json')
  const lists: Record<string, Record<string, number[]>> = JSON.parse(readFileSync(path, 'utf8'))
  const found = Object.entries(lists).map(([name, shapes]) => {
    const tensors = Object.entries(shapes).map(([name, shape]) => {
      const dtype = name.endsWith('position_ids') ? 'I64' : 'F32'
      return { name, dtype, shape, length: 4 * elements(shape) }
    })
    return [name, layoutOf(Object.keys(shapes)).format, count(tensors).parameters]
  })
  assert.deepEqual(found, [
    ['lavis-stage1', 'lavis-blip2', 1_172_599_998],
    ['lavis-stage2-opt2.7b', 'lavis-blip2', published['blip2-opt2.7b_3rdparty-zeroshot_vqa']],
    ['lavis-stage2-flant5xl', 'lavis-blip2', published['blip2-flan-t5-xl']],
    ['hf-blip2-opt-2.7b', 'huggingface-blip2-opt', published['blip2-opt2.7b_3rdparty-zeroshot_vqa']],
    ['hf-blip2-flan-t5-xl', 'huggingface-blip2-t5', published['blip2-flan-t5-xl']],
    // As published: presets.ts, `publishedParameters`.
    ['mmpretrain-retrieval-364', 'mmpretrain-blip2', 1_173_191_358],
    ['mmpretrain-caption-364-39-layers', 'mmpretrain-blip2', 3_745_216_384],
  ])
})

test('a folder: one JSON object with every tensor', async () => {
  const outcome = await blip2(['inspect', tiny, '--json'])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.equal(outcome.lines.length, 1)
  const [found] = objects<Report>(outcome)
  // examples/demo/README.md: 99,536 values are stored; 3 · 24 are key biases, 67 · 40 the second copy of the tied head.
  assert.equal(found!.parameters, 99_536 - 72 - 2_680)
  assert.equal(found!.bytes, 4 * 99_536)
  assert.deepEqual(Object.keys(found!.parts), [
    'image encoder',
    'query tokens',
    'Q-Former',
    'projection',
    'language model',
  ])
  assert.deepEqual(found!.parts['query tokens'], { tensor_count: 1, parameters: 5 * 32, bytes: 4 * 5 * 32 })
  assert.deepEqual(found!.parts.projection, { tensor_count: 2, parameters: 33 * 40, bytes: 4 * 33 * 40 })
  assert.deepEqual(Object.keys(found!.dtypes), ['F32'])
  assert.equal(found!.tensors.length, found!.tensor_count)
  assert.deepEqual(
    found!.tensors.find(({ name }) => name === 'query_tokens'),
    {
      name: 'query_tokens',
      dtype: 'F32',
      shape: [1, 5, 32],
    },
  )
  assert.equal(found!.format, 'huggingface-blip2-opt')
  assert.ok(found!.runnable && found!.fit?.fits)
})

test('--tensors lists names, types and shapes', async () => {
  const [short, long] = await Promise.all([blip2(['inspect', tiny]), blip2(['inspect', tiny, '--tensors'])])
  assert.doesNotMatch(short.stdout, /^query_tokens/m)
  assert.match(long.stdout, /^query_tokens +F32 +\(1, 5, 32\)$/m)
  const names = [...(await openCheckpoint(tiny)).tensors.keys()]
  for (const name of names)
    assert.ok(
      long.lines.some((line) => line.startsWith(`${name} `)),
      name,
    )
})

test('a file, shards, their index, and a configuration alone', async () => {
  const t5 = join(referenceDir, 'hf-blip2-t5')
  const [whole, half, sharded, index, torch] = await Promise.all(
    [
      'model.safetensors',
      'model.fp16.safetensors',
      'sharded',
      'sharded/model.safetensors.index.json',
      'pytorch_model.bin',
    ].map((name) => report(join(t5, name))),
  )
  for (const one of [whole, half, sharded, index, torch]) {
    assert.equal(one!.format, 'huggingface-blip2-t5')
    assert.ok(one!.fit?.fits, one!.source)
    assert.equal(one!.parameters, whole!.parameters)
    assert.deepEqual(one!.parts['language model']?.parameters, whole!.parts['language model']?.parameters)
  }
  assert.equal(half!.bytes * 2, whole!.bytes)
  assert.deepEqual(Object.keys(half!.dtypes), ['F16'])
  assert.equal(sharded!.files.length, 2)

  const alone = await report(join(t5, 'config.json'))
  assert.equal(alone.kind, 'configuration')
  assert.equal(alone.parameters, whole!.parameters)

  const shard = await report(join(t5, 'sharded', 'model-00001-of-00002.safetensors'))
  assert.equal(shard.fit, null)
  assert.match(shard.notes.join('\n'), /one shard of several/)
})

test('tensors that do not fit the configuration are named, and the exit code is 1', async () => {
  const wrong = join(folder, 'wrong')
  cpSync(tiny, wrong, { recursive: true })
  const { tensors } = await openCheckpoint(tiny)
  const changed = await Promise.all(
    [...tensors.values()]
      .filter(({ name }) => name !== 'language_projection.bias')
      .map(async ({ name, dtype, shape, ...place }) => ({
        name: name === 'qformer.layernorm.bias' ? 'qformer.layer_norm.bias' : name,
        dtype,
        shape: name === 'query_tokens' ? [1, 10, 16] : shape,
        data: new Uint8Array(await readBytes({ name, dtype, shape, ...place })),
      })),
  )
  await writeSafetensors(join(wrong, 'model.safetensors'), changed)
  const [text, json] = await Promise.all([blip2(['inspect', wrong]), blip2(['inspect', wrong, '--json'])])
  assert.deepEqual([text.code, json.code], [1, 1])
  const { fit, runnable } = objects<Report>(json)[0]!
  assert.equal(runnable, false)
  assert.deepEqual(fit, {
    fits: false,
    lacks: [],
    missing: [
      { name: 'qformer.layernorm.bias', shape: [32] },
      { name: 'language_projection.bias', shape: [40] },
    ],
    misshapen: [{ name: 'query_tokens', shape: [1, 10, 16], expected: [1, 5, 32] }],
    mistyped: [],
    unused: ['qformer.layer_norm.bias'],
  })
  assert.match(text.stdout, /does NOT fit .*config\.json:\n {2}missing: qformer\.layernorm\.bias \(32\)\n/)
  assert.match(
    text.stdout,
    /\n {2}shape: query_tokens \(1, 10, 16\), the model needs \(1, 5, 32\)\n {2}unused: qformer\.layer_norm\.bias/,
  )
})

test('a checkpoint of something else is listed as unknown', async () => {
  const other = join(folder, 'other.safetensors')
  const data = new Uint8Array(48)
  await writeSafetensors(other, [
    { name: 'model.embed.weight', dtype: 'BF16', shape: [3, 4], data: data.subarray(0, 24) },
    { name: 'model.positions', dtype: 'I64', shape: [3], data: data.subarray(0, 24) },
    { name: 'head.weight', dtype: 'F32', shape: [4, 3], data },
  ])
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'gpt2' }))
  const outcome = await blip2(['inspect', other, '--json'])
  assert.equal(outcome.code, 0, outcome.stderr)
  const found = objects<Report>(outcome)[0]!
  assert.equal(found.format, 'unknown')
  assert.equal(found.parameters, 24)
  assert.deepEqual(found.parts.model, { tensor_count: 2, parameters: 12, bytes: 48 })
  assert.match(found.config_problem!, /model_type: expected "blip-2", found "gpt2"/)
})

test('a BLIP-2 checkpoint whose config.json is damaged: exit code 1', async () => {
  const damaged = join(folder, 'damaged-config')
  cpSync(tiny, damaged, { recursive: true })
  const config = JSON.parse(readFileSync(join(tiny, 'config.json'), 'utf8'))
  config.vision_config.patch_size = '14'
  writeFileSync(join(damaged, 'config.json'), JSON.stringify(config))
  const outcome = await blip2(['inspect', damaged])
  assert.equal(outcome.code, 1)
  assert.match(outcome.stdout, /vision_config\.patch_size: expected a positive integer, found "14"/)
})

test('what cannot be inspected: exit code 1 and the reason', async () => {
  const cut = join(folder, 'cut.safetensors')
  cpSync(join(tiny, 'model.safetensors'), cut)
  truncateSync(cut, 400_000)
  const cases: readonly [string, RegExp][] = [
    [cut, /^error: .*cut\.safetensors: /],
    ['org/nothing', /^error: org\/nothing: no such file or folder, and no published name.*nothing is downloaded/],
    [folder, /expected model\.safetensors or model\.safetensors\.index\.json/],
  ]
  const outcomes = await Promise.all(cases.map(([source]) => blip2(['inspect', source, '--json'])))
  for (const [i, [source, message]] of cases.entries()) {
    const outcome = outcomes[i]!
    assert.deepEqual([outcome.code, outcome.stdout], [1, ''], source)
    assert.match(outcome.stderr, message)
  }
})

const lavis = (folder: string) => join(referenceDir, folder)

/** A folder with files of the reference tree and a config.json of their tiny sizes. */
async function withConfig(from: string, ...files: string[]): Promise<string> {
  const to = join(folder, `with-config-${from}`)
  mkdirSync(to, { recursive: true })
  for (const file of files) cpSync(join(referenceDir, from, file), join(to, file))
  writeFileSync(join(to, 'config.json'), JSON.stringify(await lavisConfig(lavis(from))))
  return to
}

test('every file of the reference tree is recognised, told apart and counted', async () => {
  const found = await Promise.all(
    [
      'vision/eva.hf.safetensors',
      'vision/eva.lavis.safetensors',
      'vision/eva.lavis.pth',
      'vision/eva.mmpretrain.pth',
      'vision/clip.lavis.safetensors',
      'lavis-qformer/model.safetensors',
      'lavis-qformer/checkpoint.pth',
      'lavis-qformer/mmpretrain-retrieval.pth',
      'lavis-stage2-opt/model.safetensors',
      'lavis-stage2-opt/mmpretrain-caption.pth',
      'lavis-stage2-t5/model.safetensors',
    ].map(async (file) => {
      const { format, parameters, parts, name_problems } = await report(join(referenceDir, file))
      assert.deepEqual(name_problems, [], file)
      return [file, format, parameters, Object.keys(parts).length]
    }),
  )
  // From the files' headers, by a few lines of Python: tensors of floating point, tied ones once, without the key biases of eva.hf.
  assert.deepEqual(found, [
    ['vision/eva.hf.safetensors', 'huggingface-blip2', 17_400, 1],
    ['vision/eva.lavis.safetensors', 'lavis-blip2', 17_400, 1],
    ['vision/eva.lavis.pth', 'lavis-blip2', 17_400, 1],
    ['vision/eva.mmpretrain.pth', 'mmpretrain-blip2', 17_400, 1],
    ['vision/clip.lavis.safetensors', 'lavis-blip2', 18_456, 1],
    ['lavis-qformer/model.safetensors', 'lavis-blip2', 72_688, 4],
    ['lavis-qformer/checkpoint.pth', 'lavis-blip2', 72_688, 4],
    ['lavis-qformer/mmpretrain-retrieval.pth', 'mmpretrain-blip2', 72_688, 4],
    ['lavis-stage2-opt/model.safetensors', 'lavis-blip2', 96_784, 5],
    ['lavis-stage2-opt/mmpretrain-caption.pth', 'mmpretrain-blip2', 96_784, 5],
    ['lavis-stage2-t5/model.safetensors', 'lavis-blip2', 116_476, 5],
  ])
})

test('files of LAVIS and mmpretrain are held against a config.json beside them', async () => {
  const folders = [
    await withConfig('lavis-qformer', 'model.safetensors', 'checkpoint.pth', 'mmpretrain-retrieval.pth'),
    await withConfig('lavis-stage2-opt', 'model.safetensors', 'mmpretrain-caption.pth'),
    await withConfig('lavis-stage2-t5', 'model.safetensors'),
  ]
  for (const path of folders) {
    for (const file of readdirSync(path).filter((name) => name !== 'config.json')) {
      const { fit, runnable } = await report(join(path, file))
      assert.deepEqual(fit, { fits: true, lacks: [], missing: [], misshapen: [], mistyped: [], unused: [] }, file)
      assert.equal(runnable, true)
    }
  }
})

test('what a trained file lacks is said, and what it has is held against the configuration', async () => {
  const path = await withConfig('lavis-stage2-opt', 'checkpoint_trainable.pth')
  const file = join(path, 'checkpoint_trainable.pth')
  const { fit, runnable, notes } = await report(file)
  assert.deepEqual([fit?.fits, fit?.lacks, runnable], [true, ['image encoder', 'language model'], false])
  assert.match(notes.join('\n'), /not in it: image encoder and language model; .*: --image-encoder, --language-model$/m)
  assert.equal((await blip2(['inspect', file])).code, 0)
})

test('sizes that shapes do not tell: said, and counted all the same', async () => {
  const outcome = await blip2(['inspect', join(lavis('lavis-stage2-opt'), 'model.safetensors')])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.match(outcome.stdout, /model\.safetensors: BLIP-2 with OPT, LAVIS layout\n/)
  assert.match(outcome.stdout, /no configuration to hold the tensors against: .*num_attention_heads: tensors 24 wide/)
})

test('unknown names, and halves of a pair, are listed: exit code 1', async () => {
  const wrong = join(folder, 'wrong-lavis.safetensors')
  await writeRenamed(join(lavis('lavis-qformer'), 'model.safetensors'), wrong, (name) =>
    name === 'visual_encoder.blocks.0.attn.v_bias' ? undefined : name.replace('itm_head.bias', 'itm_head.offset'),
  )
  const outcome = await blip2(['inspect', wrong])
  assert.equal(outcome.code, 1)
  assert.match(
    outcome.stdout,
    /itm_head\.offset is unknown\n.*blocks\.0\.attn\.q_bias: the bias of the values is missing\n/,
  )
})

test('a first stage without captioning head and temperature, as Hugging Face publishes it, fits', async () => {
  const path = await withConfig('lavis-qformer', 'model.safetensors')
  const without = (pattern: RegExp) => (name: string) => (pattern.test(name) ? undefined : name)
  const whole = join(path, 'model.safetensors')
  const [published, cut] = [join(path, 'published.safetensors'), join(path, 'cut.safetensors')]
  await writeRenamed(whole, published, without(/^Qformer\.cls|^temp$/))
  assert.equal((await report(published)).fit?.fits, true)
  // Half a captioning head is none.
  await writeRenamed(whole, cut, without(/predictions\.transform\.LayerNorm\.bias$/))
  assert.deepEqual((await report(cut)).fit?.missing, [
    { name: 'Qformer.cls.predictions.transform.LayerNorm.bias', shape: [32] },
  ])
})
