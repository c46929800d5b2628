import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { npyHeader } from '../../src/cli/features/npy.ts'
import { type Blip2, type Features, loadBlip2 } from '../../src/index.ts'
import { writeFirstStage } from '../support/first-stage.ts'
import { repositoryRoot } from '../support/paths.ts'
import { tensorOf } from '../support/reference.ts'
import { numbers } from '../support/tensors.ts'
import { blip2, objects, scene, tiny } from './cli.ts'

const fixtures = join(repositoryRoot, 'test', 'images', 'fixtures')
const folder = mkdtempSync(join(tmpdir(), 'blip2-cli-features-'))
const model = join(folder, 'model')
const photos = join(folder, 'photos')
const out = (name: string) => join(folder, name)
let library: Blip2

before(async () => {
  await writeFirstStage(model)
  mkdirSync(join(photos, 'more'), { recursive: true })
  copyFileSync(scene, join(photos, 'b.png'))
  copyFileSync(join(fixtures, 'rgb.jpg'), join(photos, 'more', 'c.jpg'))
  copyFileSync(join(fixtures, 'column.png'), join(photos, 'a.png'))
  writeFileSync(join(photos, 'notes.txt'), 'no image')
  library = await loadBlip2(model)
})
after(async () => {
  await library.dispose()
  rmSync(folder, { recursive: true })
})

const inFolder = () => [join(photos, 'a.png'), join(photos, 'b.png'), join(photos, 'more', 'c.jpg')]

async function stored(path: string) {
  const { tensors, metadata } = await openCheckpoint(path)
  return { tensor: (name: string) => tensorOf(tensors, name), names: [...tensors.keys()], tensors, metadata }
}

function assertClose(found: readonly number[], expected: readonly number[], tolerance = 2e-6): void {
  assert.equal(found.length, expected.length)
  expected.forEach((value, i) => {
    assert.ok(Math.abs(found[i]! - value) <= tolerance, `at ${i}: expected ${value}, found ${found[i]}`)
  })
}

const all = (features: readonly Features[], which: 'embeds' | 'projected') =>
  features.flatMap((one) => [...one[which]!.data])

test('images of a folder and others, in order, alone or in batches, as safetensors', async () => {
  const images = [...inFolder(), scene]
  const expected: Features[] = []
  for (const image of images) expected.push(await library.features({ mode: 'image', image }))
  for (const batch of ['1', '3']) {
    const path = out(`images-${batch}.safetensors`)
    const args = ['--mode', 'image', photos, scene, '--out', path, '--model', model, '--batch', batch, '--json']
    const outcome = await blip2(['features', ...args])
    assert.equal(outcome.code, 0, outcome.stderr)
    assert.deepEqual(objects(outcome), [
      { out: path, mode: 'image', model, tensors: { image_embeds: [4, 5, 32], image_embeds_proj: [4, 5, 12] } },
    ])
    const { tensor, names, metadata } = await stored(path)
    assert.deepEqual(names, ['image_embeds', 'image_embeds_proj'])
    assert.deepEqual(metadata, { mode: 'image', model, images: JSON.stringify(images) })
    assertClose(numbers(await tensor('image_embeds')), all(expected, 'embeds'))
    assertClose(numbers(await tensor('image_embeds_proj')), all(expected, 'projected'))
  }
})

test('texts are padded with zeros, which attention_mask tells', async () => {
  const path = out('texts.safetensors')
  const file = out('texts.txt')
  writeFileSync(file, 'a cat\nsea\n')
  const outcome = await blip2([
    'features',
    '--mode',
    'text',
    '--text',
    'dog',
    '--texts',
    file,
    '--out',
    path,
    '--model',
    model,
  ])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.match(outcome.stdout, /text_embeds \(3, 6, 32\), text_embeds_proj \(3, 6, 12\), attention_mask \(3, 6\)\n$/)
  const { tensor, metadata } = await stored(path)
  assert.deepEqual(JSON.parse(metadata.texts!), ['dog', 'a cat', 'sea'])
  // [CLS] d ##o ##g [SEP]; [CLS] a c ##a ##t [SEP]; [CLS] s ##e ##a [SEP]
  assert.deepEqual(numbers(await tensor('attention_mask')), [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
  const embeds = numbers(await tensor('text_embeds'))
  const { data } = (await library.features({ mode: 'text', text: 'dog' })).embeds
  assertClose(embeds.slice(0, 6 * 32), [...data, ...Array<number>(32).fill(0)])
})

test('--dtype float16 rounds', async () => {
  const path = out('halves.safetensors')
  const outcome = await blip2([
    'features',
    '--mode',
    'image',
    scene,
    '--out',
    path,
    '--dtype',
    'float16',
    '--model',
    model,
  ])
  assert.equal(outcome.code, 0, outcome.stderr)
  const { tensor, tensors } = await stored(path)
  assert.equal(tensors.get('image_embeds')!.dtype, 'F16')
  const { embeds } = await library.features({ mode: 'image', image: scene })
  // Half the distance of two float16 numbers below 4.
  assertClose(numbers(await tensor('image_embeds')), [...embeds.data], 2 ** -10)
})

test('pairs: one image for all texts, one text for all images, or one each', async () => {
  const cases: readonly [inputs: string[], pairs: readonly (readonly [string, string])[]][] = [
    [
      [scene, '--text', 'a', '--text', 'b'],
      [
        [scene, 'a'],
        [scene, 'b'],
      ],
    ],
    [[photos, '--text', 'a'], inFolder().map((image) => [image, 'a'])],
    [
      [scene, join(photos, 'a.png'), '--text', 'a', '--text', 'b'],
      [
        [scene, 'a'],
        [join(photos, 'a.png'), 'b'],
      ],
    ],
  ]
  for (const [i, [inputs, pairs]] of cases.entries()) {
    const path = out(`pairs-${i}.json`)
    const outcome = await blip2(['features', '--mode', 'multimodal', ...inputs, '--out', path, '--model', model])
    assert.equal(outcome.code, 0, outcome.stderr)
    const { mode, items, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
    assert.deepEqual([mode, rest], ['multimodal', { model }])
    assert.deepEqual(
      items.map(({ image, text }: { image: string; text: string }) => [image, text]),
      pairs,
    )
    for (const [k, [image, text]] of pairs.entries()) {
      const { embeds } = await library.features({ mode: 'multimodal', image, text })
      assertClose(items[k].multimodal_embeds.flat(), [...embeds.data])
    }
  }
})

test('.npy: an array in each file, and what they are of', async () => {
  const path = out('texts.npy')
  const outcome = await blip2([
    'features',
    '--mode',
    'text',
    '--text',
    'dog',
    '--text',
    'a',
    '--out',
    path,
    '--model',
    model,
  ])
  assert.equal(outcome.code, 0, outcome.stderr)
  assert.deepEqual(JSON.parse(readFileSync(out('texts.npy.json'), 'utf8')), {
    mode: 'text',
    texts: ['dog', 'a'],
    model,
  })
  const expected = await library.featuresBatch({ mode: 'text', texts: ['dog', 'a'] })
  const read = (name: string, header: Uint8Array) => {
    const bytes = readFileSync(out(name))
    assert.deepEqual(bytes.subarray(0, header.length), header)
    return bytes.buffer.slice(bytes.byteOffset + header.length, bytes.byteOffset + bytes.length)
  }
  const embeds = new Float32Array(read('texts.npy', npyHeader('F32', [2, 5, 32])))
  assertClose([...embeds.subarray(0, 5 * 32)], [...expected[0]!.embeds.data])
  const projected = new Float32Array(read('texts.proj.npy', npyHeader('F32', [2, 5, 12])))
  assertClose([...projected.subarray(5 * 12, 8 * 12)], [...expected[1]!.projected!.data])
  const mask = new BigInt64Array(read('texts.mask.npy', npyHeader('I64', [2, 5])))
  assert.deepEqual(Array.from(mask, Number), [1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
})

test('the header of a .npy file is that of numpy.save', () => {
  // numpy 2.4.6: np.save(f, np.zeros((3,), '<f2')) and np.save(f, np.zeros((2, 5, 12), '<f4'))
  const header = (dictionary: string) =>
    Buffer.concat([Buffer.from('934e554d505901007600', 'hex'), Buffer.from(`${dictionary.padEnd(117)}\n`, 'latin1')])
  assert.deepEqual(npyHeader('F16', [3]), header("{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }"))
  assert.deepEqual(
    npyHeader('F32', [2, 5, 12]),
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 5, 12), }"),
  )
})

test('images that cannot be read are left out; where none can, nothing is written', async () => {
  const broken = out('broken.jpg')
  writeFileSync(broken, 'Dear diary,')
  const path = out('some.safetensors')
  for (const [mode, texts] of [
    ['image', []],
    ['multimodal', ['--text', 'a']],
  ] as const) {
    const args = ['--mode', mode, broken, scene, ...texts, '--out', path, '--model', model, '--json', '--batch', '2']
    const outcome = await blip2(['features', ...args])
    assert.equal(outcome.code, 1)
    const [error, done] = objects(outcome)
    assert.deepEqual(Object.keys(error!), ['image', 'error'])
    assert.equal(error!.image, broken)
    assert.deepEqual(Object.values(done!.tensors as object)[0], [1, 5, 32])
    assert.deepEqual(JSON.parse((await stored(path)).metadata.images!), [scene])
  }
  const none = await blip2(['features', '--mode', 'image', broken, '--out', out('none.npy'), '--model', model])
  assert.equal(none.code, 1)
  assert.match(none.stderr, /none\.npy is not written: there is nothing to write/)
  assert.ok(!existsSync(out('none.npy')))
})

test('a model for captions has features of images', async () => {
  const path = out('queries.safetensors')
  const [image, text] = await Promise.all([
    blip2(['features', '--mode', 'image', scene, '--out', path, '--model', tiny]),
    blip2(['features', '--mode', 'text', '--text', 'a', '--out', out('nothing.npy'), '--model', tiny]),
  ])
  assert.equal(image.code, 0, image.stderr)
  assert.deepEqual((await stored(path)).names, ['image_embeds'])
  assert.equal(text.code, 1)
  assert.match(text.stderr, /^error: features of mode text: .* for retrieval, such as blip2_3rdparty_retrieval/)
})

test('wrong usage: exit code 2; places that cannot be written to: exit code 1; no file is left behind', async () => {
  mkdirSync(out('folder.npy'))
  const image = ['--mode', 'image', '--model', model, '--out', out('x.npy')]
  const text = ['--mode', 'text', '--model', model, '--out', out('x.npy')]
  const both = ['--mode', 'multimodal', '--model', model, '--out', out('x.npy')]
  const cases: readonly [args: string[], code: number, message: RegExp][] = [
    [[scene, '--out', out('x.npy')], 2, /required option '--mode <mode>' not specified/],
    [[scene, '--mode', 'image'], 2, /required option '--out <file>' not specified/],
    [[scene, '--mode', 'sound', '--out', out('x.npy')], 2, /Allowed choices are image, text, multimodal/],
    [
      [scene, '--mode', 'image', '--out', out('x.txt')],
      2,
      /--out: expected a name that ends in \.safetensors, \.npy or \.json/,
    ],
    [[scene, '--mode', 'image', '--out', out('folder.npy')], 2, /folder\.npy is a folder; give the name of a file/],
    [image, 2, /--mode image: no image/],
    [[...image, scene, '--text', 'a'], 2, /--mode image: takes no texts/],
    [text, 2, /--mode text: no text/],
    [[...text, scene, '--text', 'a'], 2, /--mode text: takes no images/],
    [[...both, scene, scene, scene, '--text', 'a', '--text', 'b'], 2, /found 3 images and 2 texts/],
    [[...text, '--text', ' '], 2, /a text is empty/],
    [
      ['--mode', 'image', scene, '--model', model, '--out', join(folder, 'no', 'x.npy')],
      1,
      /no\/x\.npy: no such file or folder/,
    ],
    [[...image, join(folder, 'model')], 1, /model: expected images .*, found none/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => blip2(['features', ...args])))
  for (const [i, [args, code, message]] of cases.entries()) {
    assert.equal(outcomes[i]!.code, code, `${args.join(' ')}: ${outcomes[i]!.stderr}`)
    assert.match(outcomes[i]!.stderr, message)
    assert.equal(outcomes[i]!.stdout, '')
  }
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.') || name.startsWith('x.')),
    [],
  )
})

test('Ctrl-C leaves nothing behind', async () => {
  const path = out('stopped.safetensors')
  // The error of the first image is the line that says that the work has begun.
  const images = [join(folder, 'missing.jpg'), ...Array<string>(300).fill(scene)]
  const args = ['--mode', 'image', ...images, '--out', path, '--model', model, '--json']
  const outcome = await blip2(['features', ...args], { onFirstLine: (child) => child.kill('SIGINT') })
  assert.equal(outcome.code, 130, outcome.stderr)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('stopped')),
    [],
  )
})
