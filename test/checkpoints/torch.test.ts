/** Files written by PyTorch: the values, and where they lie. The hostile ones are in torch-hostile.test.ts. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCheckpoint, readBytes, readTensor } from '../../src/checkpoints/node.ts'
import type { Checkpoint } from '../../src/checkpoints/safetensors.ts'
import { referenceDir, repositoryRoot } from '../support/paths.ts'
import { put, temporaryFolder } from './files.ts'
import { pickled, stateDict, storage, tensor, torchZip } from './torch-files.ts'

const files = join(repositoryRoot, 'test', 'checkpoints', 'torch')

/** Name → values, with bigints as numbers. */
async function values({ tensors }: Checkpoint): Promise<Record<string, number[]>> {
  const entries: [string, number[]][] = []
  for (const [name, tensor] of tensors) entries.push([name, Array.from(await readTensor(tensor), Number)])
  return Object.fromEntries(entries)
}

const ramp = (count: number, start = 0) => Array.from({ length: count }, (_, i) => start + i)

// The READMEs of the reference tree: which file holds the same weights, and under which entry its state dict is.
const twins = [
  { torch: 'hf-blip2-opt/pytorch_model.bin', twin: 'hf-blip2-opt/model.safetensors' },
  { torch: 'hf-blip2-t5/pytorch_model.bin', twin: 'hf-blip2-t5/model.safetensors' },
  { torch: 'vision/eva.lavis.pth', twin: 'vision/eva.lavis.safetensors' },
  {
    torch: 'vision/eva.mmpretrain.pth',
    twin: 'vision/eva.lavis.safetensors',
    wrapper: 'state_dict',
    renamed: true,
  },
  { torch: 'lavis-qformer/checkpoint.pth', twin: 'lavis-qformer/model.safetensors', wrapper: 'model' },
  {
    torch: 'lavis-qformer/mmpretrain-retrieval.pth',
    twin: 'lavis-qformer/model.safetensors',
    wrapper: 'state_dict',
    renamed: true,
  },
  {
    torch: 'lavis-stage2-opt/checkpoint_trainable.pth',
    twin: 'lavis-stage2-opt/model.safetensors',
    wrapper: 'model',
    partial: true,
  },
  {
    torch: 'lavis-stage2-opt/mmpretrain-caption.pth',
    twin: 'lavis-stage2-opt/model.safetensors',
    wrapper: 'state_dict',
    renamed: true,
  },
]
for (const { torch, twin, wrapper, renamed, partial } of twins) {
  test(`${torch} holds the tensors of ${twin}, bit for bit`, async () => {
    const found = await openCheckpoint(join(referenceDir, torch))
    const expected = await openCheckpoint(join(referenceDir, twin))
    assert.deepEqual(found.metadata, { format: 'torch zip', ...(wrapper && { wrapper }) })
    // mmpretrain has other names for the same tensors: compared as a multiset of type, shape and content.
    const content = async ({ tensors }: Checkpoint) => {
      const all: string[] = []
      for (const tensor of tensors.values()) {
        const name = renamed ? '' : tensor.name
        all.push([name, tensor.dtype, tensor.shape, Buffer.from(await readBytes(tensor)).toString('hex')].join(' '))
      }
      return all.sort()
    }
    const [actual, wanted] = [await content(found), await content(expected)]
    if (partial) {
      assert.ok(actual.length > 90 && actual.length < wanted.length)
      assert.deepEqual(
        actual.filter((tensor) => !wanted.includes(tensor)),
        [],
      )
    } else assert.deepEqual(actual, wanted)
  })
}

test('tied weights point at the same bytes', async () => {
  const { tensors } = await openCheckpoint(join(referenceDir, 'hf-blip2-opt', 'pytorch_model.bin'))
  const head = tensors.get('language_model.lm_head.weight')
  const embedding = tensors.get('language_model.model.decoder.embed_tokens.weight')
  assert.ok(head && embedding)
  assert.deepEqual({ ...head, name: '' }, { ...embedding, name: '' })
})

for (const protocol of [2, 3, 4, 5]) {
  test(`every type, pickle protocol ${protocol}`, async () => {
    const checkpoint = await openCheckpoint(join(files, `types-${protocol}.pth`))
    const types = ['F32', 'F16', 'BF16', 'F64', 'I64', 'I32', 'I16', 'I8', 'U8', 'BOOL']
    assert.deepEqual([...checkpoint.tensors.keys()], types)
    for (const { name, dtype, shape } of checkpoint.tensors.values()) {
      assert.equal(dtype, name)
      assert.deepEqual(shape, [2, 3])
    }
    const found = await values(checkpoint)
    for (const type of types) assert.deepEqual(found[type], type === 'BOOL' ? [0, 1, 1, 1, 1, 1] : ramp(6), type)
  })
}

for (const { file, format } of [
  { file: 'views.pth', format: 'torch zip' },
  { file: 'views-legacy.pth', format: 'torch legacy' },
  { file: 'views-legacy-4.pth', format: 'torch legacy' },
]) {
  test(`views of one storage are used where they lie: ${file}`, async () => {
    const checkpoint = await openCheckpoint(join(files, file))
    assert.deepEqual(checkpoint.metadata, { format })
    assert.deepEqual(await values(checkpoint), {
      base: ramp(24),
      tied: ramp(24),
      rows: ramp(12, 6),
      row: ramp(6, 18),
      one: [17],
      column: ramp(6, 6),
      expanded: [7],
      empty: [],
      scalar: [2.5],
      parameter: ramp(4, 100),
    })
    const { base, rows, scalar, empty } = Object.fromEntries(checkpoint.tensors)
    assert.ok(base && rows && scalar && empty)
    assert.equal(rows.offset, base.offset + 6 * 4)
    assert.equal(readFileSync(join(files, file)).readFloatLE(rows.offset), 6)
    assert.deepEqual(scalar.shape, [])
    assert.deepEqual(empty.shape, [0, 5])
  })
}

test('a state dict inside a training checkpoint', async () => {
  const training = await openCheckpoint(join(files, 'training.pth'))
  assert.deepEqual(training.metadata, { format: 'torch zip', wrapper: 'model' })
  assert.deepEqual(await values(training), { weight: ramp(6), bias: [10, 11] })
  const meta = await openCheckpoint(join(files, 'meta.pth'))
  assert.deepEqual(meta.metadata, { format: 'torch zip', wrapper: 'state_dict' })
  assert.deepEqual(await values(meta), { weight: ramp(6), bias: [10, 11] })
})

test('what cannot be used is named', async () => {
  await assert.rejects(openCheckpoint(join(files, 'transposed.pth')), {
    name: 'CheckpointError',
    message: /"turned\.weight": shape \(6,4\) is stored with strides \(1,6\).*\.contiguous\(\)/,
  })
  await assert.rejects(openCheckpoint(join(files, 'module.pth')), {
    name: 'CheckpointError',
    message: /data\.pkl: byte 2: "torch\.nn\.modules\.container\.Sequential" .* is refused/,
  })
})

test('a folder with pytorch_model.bin, or with its shards; safetensors come first', async (t) => {
  const folder = temporaryFolder(t)
  copyFileSync(join(files, 'meta.pth'), join(folder, 'pytorch_model.bin'))
  assert.deepEqual(Object.keys(await values(await openCheckpoint(folder))), ['weight', 'bias'])

  const sharded = join(folder, 'sharded')
  mkdirSync(sharded)
  copyFileSync(join(files, 'meta.pth'), join(sharded, 'pytorch_model-00001-of-00002.bin'))
  copyFileSync(join(files, 'types-2.pth'), join(sharded, 'pytorch_model-00002-of-00002.bin'))
  const types = [...(await openCheckpoint(join(files, 'types-2.pth'))).tensors.keys()]
  const weightMap = Object.fromEntries([
    ...['weight', 'bias'].map((name) => [name, 'pytorch_model-00001-of-00002.bin']),
    ...types.map((name) => [name, 'pytorch_model-00002-of-00002.bin']),
  ])
  put(sharded, 'pytorch_model.bin.index.json', JSON.stringify({ metadata: {}, weight_map: weightMap }))
  const checkpoint = await openCheckpoint(sharded)
  assert.deepEqual([...checkpoint.tensors.keys()].sort(), ['weight', 'bias', ...types].sort())
  assert.equal(checkpoint.files.length, 2)

  copyFileSync(join(referenceDir, 'vision', 'eva.hf.safetensors'), join(folder, 'model.safetensors'))
  assert.ok((await openCheckpoint(folder)).tensors.has('vision_model.post_layernorm.weight'))
})

// Written as PyTorch 2.4 does (torch/_utils.py, torch/nn/parameter.py); the files above are of 1.13.
test('forms that other versions of PyTorch write', async (t) => {
  const { call, dict, global, int, no, none, text, tuple } = pickled
  const bytes = storage(global('torch.storage', 'UntypedStorage'), 'u', 8)
  const shape = [tuple(int(1), int(2)), tuple(int(2), int(1))]
  const cuda = storage(global('torch.cuda', 'HalfStorage'), 'h', 2)
  const value = stateDict({
    // Types without a storage class of their own.
    v3: call(
      global('torch._utils', '_rebuild_tensor_v3'),
      bytes,
      int(2),
      ...shape,
      no,
      none,
      global('torch', 'uint16'),
    ),
    v2: call(global('torch._utils', '_rebuild_tensor_v2'), cuda, int(0), ...shape, no, none, dict([])),
    v1: call(global('torch._utils', '_rebuild_tensor'), cuda, int(0), ...shape),
    state: call(
      global('torch._utils', '_rebuild_parameter_with_state'),
      tensor(),
      no,
      none,
      stateDict({ tag: text('x') }),
    ),
    size: call(
      global('torch._utils', '_rebuild_tensor'),
      cuda,
      int(0),
      ...shape.map((s) => call(global('torch', 'Size'), s)),
    ),
  })
  const storages = {
    u: new Uint8Array(Uint16Array.of(1, 2, 3, 65535).buffer),
    h: new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer),
    0: new Uint8Array(Float32Array.of(0.5, 4).buffer),
  }
  const checkpoint = await openCheckpoint(put(temporaryFolder(t), 'f.pt', torchZip(value, storages)))
  assert.deepEqual(await values(checkpoint), {
    v3: [3, 65535],
    v2: [1, -2],
    v1: [1, -2],
    state: [0.5, 4],
    size: [1, -2],
  })
  assert.equal(checkpoint.tensors.get('v3')?.dtype, 'U16')
  assert.deepEqual(checkpoint.tensors.get('v3')?.shape, [1, 2])
})
