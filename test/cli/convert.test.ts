import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openCheckpoint, readBytes, writeSafetensors } from '../../src/checkpoints/node.ts'
import type { StoredTensor } from '../../src/checkpoints/safetensors.ts'
import { type Converted, type ConvertOptions, convert as run } from '../../src/cli/convert/convert.ts'
import { canonicalNames, namesIn } from '../../src/models/names/names.ts'
import { tiedTensors } from '../../src/models/names/table.ts'
import { openSource } from '../../src/tasks/node-source.ts'
import { lavisConfig, writeRenamed } from '../support/lavis.ts'
import { referenceDir } from '../support/paths.ts'
import { blip2, objects, tiny } from './cli.ts'

const temporary = mkdtempSync(join(tmpdir(), 'blip2-convert-'))
after(() => rmSync(temporary, { recursive: true, force: true }))
let folders = 0
const fresh = () => join(temporary, String(folders++))
const reference = (file: string) => join(referenceDir, file)

/** In this process: the command line takes longer to start than this to work. */
async function convert(
  source: string,
  options: Partial<ConvertOptions> = {},
): Promise<{ readonly out: string; readonly result: Converted }> {
  const out = fresh()
  return { out, result: await run(source, out, { ...quiet, ...options }) }
}

const quiet: ConvertOptions = {
  to: 'huggingface',
  shardBytes: 5e9,
  onBytes() {},
  signal: new AbortController().signal,
}

/** Name → type, shape and bytes. */
async function contents(path: string): Promise<Map<string, string>> {
  const { tensors } = await openCheckpoint(path)
  const read = async (tensor: StoredTensor) =>
    `${tensor.dtype} ${tensor.shape} ${Buffer.from(await readBytes(tensor)).toString('base64')}`
  const found = new Map<string, string>()
  for (const tensor of tensors.values()) found.set(tensor.name, await read(tensor))
  return found
}

/** Tied tensors in the naming of a file. */
async function tiedIn(path: string): Promise<string[][]> {
  const names = [...(await openCheckpoint(path)).tensors.keys()]
  const { tensors } = canonicalNames(names, path)
  return tiedTensors.map((group) =>
    group.flatMap((name) => {
      const origin = tensors.get(name)
      return origin?.kind === 'stored' ? [origin.name] : []
    }),
  )
}

/** The files of one naming, and how its checkpoints are converted to the other two. */
const files = [
  'vision/eva.hf.safetensors',
  'vision/eva.lavis.safetensors',
  'vision/eva.lavis.pth',
  'vision/eva.mmpretrain.pth',
  'vision/clip.lavis.safetensors',
  'lavis-qformer/model.safetensors',
  'lavis-qformer/checkpoint.pth',
  'lavis-qformer/mmpretrain-retrieval.pth',
  'lavis-stage2-opt/model.safetensors',
  'lavis-stage2-opt/checkpoint_trainable.pth',
  'lavis-stage2-opt/mmpretrain-caption.pth',
  'lavis-stage2-t5/model.safetensors',
  'lavis-stage2-t5/checkpoint_trainable.pth',
] as const

for (const file of files) {
  test(`${file}: through each naming and back, bit for bit`, async () => {
    const original = reference(file)
    const expected = await contents(original)
    const names = [...expected.keys()]
    const { naming } = canonicalNames(names, file)
    const tied = await tiedIn(original)
    for (const other of (['huggingface', 'lavis', 'mmpretrain'] as const).filter((one) => one !== naming)) {
      const there = await convert(original, { to: other })
      assert.deepEqual([there.result.from, there.result.to], [naming, other])
      const back = await convert(there.out, { to: naming })
      const found = await contents(back.out)
      for (const [name, content] of expected) {
        // A further name of a tied tensor is not written again; its value is there under the first one.
        const first = tied.find((group) => group.includes(name))?.[0] ?? name
        assert.equal(found.get(name) ?? found.get(first), content, `${name} by way of ${other}`)
      }
      const copies = tied.flatMap((group) => group.slice(1))
      assert.deepEqual([...found.keys()].sort(), names.filter((name) => !copies.includes(name)).sort())
    }
  })
}

test('every type is kept, and a conversion to the same names is a copy', async () => {
  for (const file of ['model.fp16.safetensors', 'model.bf16.safetensors', 'pytorch_model.bin', 'sharded']) {
    const original = reference(`hf-blip2-t5/${file}`)
    const { out, result } = await convert(original)
    const [expected, found] = [await contents(original), await contents(out)]
    for (const [name, content] of found) assert.equal(content, expected.get(name), name)
    assert.equal(expected.size - found.size, result.copiesLeftOut.length)
  }
})

test('of a tied tensor the name is kept that transformers keeps; two that differ are both kept', async () => {
  const original = reference('lavis-stage2-t5/model.safetensors')
  const { out, result } = await convert(original)
  assert.deepEqual(result.copiesLeftOut, [
    'language_model.encoder.embed_tokens.weight',
    'language_model.decoder.embed_tokens.weight',
  ])
  assert.ok((await contents(out)).has('language_model.shared.weight'))

  const untied = join(temporary, 'untied.safetensors')
  const { tensors } = await openCheckpoint(reference('lavis-stage2-opt/model.safetensors'))
  await writeSafetensors(
    untied,
    await Promise.all(
      [...tensors.values()].map(async (tensor) => {
        const data = new Uint8Array(await readBytes(tensor))
        if (tensor.name === 'opt_model.lm_head.weight') data[5] = 1
        return { ...tensor, data }
      }),
    ),
  )
  const both = await convert(untied)
  assert.deepEqual(both.result.copiesLeftOut, [])
  const found = await contents(both.out)
  assert.notEqual(
    found.get('language_model.lm_head.weight'),
    found.get('language_model.model.decoder.embed_tokens.weight'),
  )
})

test('what a naming has no name for keeps that of LAVIS, and it is said', async () => {
  const outcome = await blip2(['convert', reference('lavis-qformer/model.safetensors'), fresh(), '--json'])
  const [object] = objects(outcome)
  assert.deepEqual([object?.from, object?.to, object?.files], ['lavis', 'huggingface', ['model.safetensors']])
  assert.equal((object as { without_name: string[] }).without_name.length, 6) // bias, transform (4), temp: the decoder is tied
  assert.match(outcome.stderr, /note: Hugging Face has no name for 6 tensors, which keep LAVIS's: .*, …\n/)
  assert.match(outcome.stderr, /note: no config\.json was written: .*num_attention_heads: tensors 24 wide/)
  const { result } = await convert(reference('vision/clip.lavis.safetensors'), { to: 'mmpretrain' })
  assert.equal(result.unnamed.length, result.tensors)
})

test('shards: their sizes, names and index; read again they are the same', async () => {
  const original = reference('lavis-stage2-opt/model.safetensors')
  const { out, result } = await convert(original, { shardBytes: 1e5 })
  const shards = result.files.filter((name) => name.endsWith('.safetensors'))
  assert.deepEqual(
    shards,
    shards.map((_, i) => `model-0000${i + 1}-of-0000${shards.length}.safetensors`),
  )
  assert.ok(shards.length >= 4)
  const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8'))
  assert.equal(index.metadata.total_size, result.bytes)
  assert.equal(Object.keys(index.weight_map).length, result.tensors)
  for (const shard of shards) {
    const { tensors, metadata } = await openCheckpoint(join(out, shard))
    const bytes = [...tensors.values()].reduce((sum, { length }) => sum + length, 0)
    assert.ok(bytes <= 100_000, `${shard}: ${bytes}`)
    assert.equal(metadata.format, 'pt') // transformers reads no other
  }
  const whole = await convert(original)
  assert.deepEqual(await contents(out), await contents(whole.out))
  assert.deepEqual(whole.result.files, ['model.safetensors'])
})

test('config.json and the files of tokenizer and processor come along; other files do not', async () => {
  const { out, result } = await convert(tiny)
  assert.deepEqual(result.files, [
    'config.json',
    'model.safetensors',
    'preprocessor_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  assert.equal(readFileSync(join(out, 'tokenizer.json'), 'utf8'), readFileSync(join(tiny, 'tokenizer.json'), 'utf8'))
  assert.deepEqual(
    JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')),
    JSON.parse(readFileSync(join(tiny, 'config.json'), 'utf8')),
  )
  const model = statSync(join(out, 'model.safetensors'))
  assert.equal(statSync(out).mode & 0o77, 0o777 & ~process.umask() & 0o77) // not the private mode of a draft
  assert.ok(model.size > 0)
})

test('a trained file with the parts it lacks becomes a whole model, which runs', async () => {
  const folder = fresh()
  mkdirSync(folder)
  const trained = join(folder, 'checkpoint.pth')
  cpSync(reference('lavis-stage2-opt/checkpoint_trainable.pth'), trained)
  writeFileSync(join(folder, 'config.json'), JSON.stringify(await lavisConfig(reference('lavis-stage2-opt'))))
  const whole = reference('lavis-stage2-opt/model.safetensors')
  const opt = fresh()
  mkdirSync(opt)
  await writeRenamed(whole, join(opt, 'model.safetensors'), (name) =>
    name.startsWith('opt_model.') ? name.slice('opt_model.'.length) : undefined,
  )
  for (const file of ['vocab.json', 'merges.txt']) writeFileSync(join(opt, file), '{}')
  const { out, result } = await convert(trained, { imageEncoder: whole, languageModel: opt })
  assert.deepEqual(result.files, ['config.json', 'merges.txt', 'model.safetensors', 'vocab.json'])
  assert.deepEqual(await contents(out), await contents((await convert(whole)).out))
  const source = await openSource(out)
  assert.equal(source.config.vision_config.post_layernorm_eps, 1e-5)
  assert.equal((await blip2(['inspect', out])).code, 0)
})

test('for Hugging Face a config.json is made from published sizes', async () => {
  const { namesOnly, shapes } = await smallStage1OfPublishedWidths()
  const { out } = await convert(namesOnly)
  const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))
  assert.deepEqual(config.architectures, ['Blip2ForImageTextRetrieval'])
  assert.equal(config.vision_config.num_attention_heads, 16)
  assert.equal(config.qformer_config.vocab_size, shapes)
})

/** The widths of the published model, one layer of each kind, few words: 44 MB of zeros. */
async function smallStage1OfPublishedWidths(): Promise<{ namesOnly: string; shapes: number }> {
  const full = JSON.parse(readFileSync(reference('vision/checkpoint-keys-full.json'), 'utf8'))['lavis-stage1']
  const words = 50
  const tensors = Object.entries(full as Record<string, number[]>)
    .filter(([name]) => !/\.(?:[1-9]|\d\d)\./.test(name))
    .map(([name, shape]) => {
      const small = shape.map((size) => (size === 30523 ? words : size))
      const bytes = small.reduce((product, size) => product * size, 2)
      const dtype = name.endsWith('position_ids') ? ('I16' as const) : ('BF16' as const)
      return { name, dtype, shape: small, data: zeros(bytes) }
    })
  const path = join(temporary, 'widths.safetensors')
  await writeSafetensors(path, tensors)
  return { namesOnly: path, shapes: words }
}

function* zeros(bytes: number): Generator<Uint8Array> {
  const block = new Uint8Array(1 << 20)
  for (let done = 0; done < bytes; done += block.length) yield block.subarray(0, Math.min(block.length, bytes - done))
}

test('biases of keys that are not zero have no place elsewhere: an error, and nothing is written', async () => {
  const out = fresh()
  await assert.rejects(
    run(reference('hf-blip2-opt/model.safetensors'), out, { ...quiet, to: 'lavis' }),
    /^CheckpointError: vision_model\.encoder\.layers\.0\.self_attn\.qkv\.bias: the biases of the keys, its middle third, are not zero, and LAVIS has no place for them; keep/,
  )
  assert.ok(!existsSync(out))
})

test('what cannot be converted: exit code, reason, and nothing left', async () => {
  const occupied = fresh()
  mkdirSync(occupied)
  writeFileSync(join(occupied, 'mine.txt'), 'mine')
  const mixed = join(temporary, 'mixed.safetensors')
  await writeRenamed(reference('lavis-qformer/model.safetensors'), mixed, (name) =>
    name === 'temp' ? 'text_neck.fc.weight' : name,
  )
  const projection = join(temporary, 'projection.safetensors')
  await writeSafetensors(projection, [
    { name: 'query_tokens', dtype: 'F32', shape: [1], data: new Float32Array(1) },
    { name: 'language_projection.weight', dtype: 'F32', shape: [1], data: new Float32Array(1) },
  ])
  const other = join(temporary, 'other.safetensors')
  await writeSafetensors(other, [{ name: 'wte', dtype: 'F32', shape: [1], data: new Float32Array(1) }])
  const model = reference('lavis-qformer/model.safetensors')
  const cases: readonly (readonly [string, string, Partial<ConvertOptions>, RegExp])[] = [
    [model, occupied, {}, /there are files in it already; name a new folder/],
    [model, join(occupied, 'mine.txt'), {}, /mine\.txt: a part of this path is a file/],
    [mixed, fresh(), {}, /text_neck\.fc\.weight is a name of mmpretrain; do not mix the two/],
    [projection, fresh(), { to: 'lavis' }, /opt_proj\.weight or t5_proj\.weight in LAVIS\?.*--language-model/],
    [other, fresh(), {}, /no BLIP-2 checkpoint: expected the names of Hugging Face, LAVIS, mmpretrain, found wte/],
    [join(temporary, 'nowhere'), fresh(), {}, /no such folder or file/],
    [model, fresh(), { languageModel: model }, /--language-model .* needs none, leave it out/],
  ]
  const before = readdirSync(temporary).sort()
  for (const [source, out, options, message] of cases)
    await assert.rejects(run(source, out, { ...quiet, ...options }), message)
  assert.deepEqual(readdirSync(temporary).sort(), before)
  assert.deepEqual(readdirSync(occupied), ['mine.txt'])
})

test('wrong usage: exit code 2; what cannot be done: 1', async () => {
  const model = reference('lavis-qformer/model.safetensors')
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [['--to', 'onnx'], 2, /Allowed choices are huggingface, lavis, mmpretrain/],
    [['--shard-size', '5'], 2, /Expected a number and kB, MB, GB or TB/],
    [['--shard-size', '0GB'], 2, /Expected a number and/],
    [['--image-encoder', model], 1, /^error: --image-encoder .* needs none/],
  ]
  const outcomes = await Promise.all(cases.map(([flags]) => blip2(['convert', model, fresh(), ...flags])))
  for (const [i, [, code, message]] of cases.entries()) {
    assert.deepEqual([outcomes[i]?.code, outcomes[i]?.stdout], [code, ''])
    assert.match(outcomes[i]?.stderr ?? '', message)
  }
})

test('an empty folder may be the target; the names of a trained projection survive without its language model', async () => {
  const out = fresh()
  mkdirSync(out)
  const trained = reference('lavis-stage2-t5/checkpoint_trainable.pth')
  await run(trained, out, quiet)
  const { tensors, metadata } = await openCheckpoint(out)
  assert.equal(metadata.language_model, 't5')
  assert.ok(tensors.has('language_projection.weight'))
  const back = await convert(out, { to: 'lavis' })
  assert.ok((await openCheckpoint(back.out)).tensors.has('t5_proj.weight'))
  assert.deepEqual(
    [...namesIn('lavis', [...tensors.keys()], 't5').keys()].sort(),
    [...(await openCheckpoint(back.out)).tensors.keys()].sort(),
  )
})

test('stopped by Ctrl-C: nothing is left, neither draft nor folder', async () => {
  const { namesOnly } = await smallStage1OfPublishedWidths()
  const folder = fresh()
  mkdirSync(folder)
  const out = join(folder, 'out')
  const controller = new AbortController()
  const stopped = run(namesOnly, out, {
    ...quiet,
    shardBytes: 10e6,
    onBytes: (done) => done > 20e6 && controller.abort(new Error('stop')),
    signal: controller.signal,
  })
  await assert.rejects(stopped, /^Error: stop$/)
  assert.deepEqual(readdirSync(folder), [])
})
