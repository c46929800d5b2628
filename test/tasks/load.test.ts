import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openCheckpoint, readTensor, writeSafetensors } from '../../src/checkpoints/node.ts'
import { readAhead } from '../../src/checkpoints/node-read-ahead.ts'
import { CheckpointError, ConfigError, SessionError } from '../../src/errors.ts'
import { inferenceModel, type LoadProgress, loadBlip2 } from '../../src/index.ts'
import { activationBytes } from '../../src/tasks/activations.ts'
import { referenceDir, repositoryRoot } from '../support/paths.ts'

const demo = join(repositoryRoot, 'examples', 'demo', 'tiny-blip2')
const scene = join(repositoryRoot, 'examples', 'demo', 'scene.png')
const temporary = mkdtempSync(join(tmpdir(), 'blip2-load-'))
after(() => rmSync(temporary, { recursive: true, force: true }))

/** The demo's folder with other weights. */
function folderWith(name: string, weights: (folder: string) => void): string {
  const folder = join(temporary, name)
  mkdirSync(folder, { recursive: true })
  for (const file of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(demo, file), join(folder, file))
  }
  weights(folder)
  return folder
}

async function captionsOf(source: string, onProgress?: (progress: LoadProgress) => void) {
  const model = await loadBlip2(source, { cacheDir: join(temporary, 'cache'), ...(onProgress && { onProgress }) })
  try {
    return (await model.caption(scene, { numReturnSequences: 3 })).captions
  } finally {
    await model.dispose()
  }
}

const reference = join(referenceDir, 'hf-blip2-opt')

test('a file, its folder and the same weights in shards give the same captions', async () => {
  const expected = await captionsOf(demo)
  assert.deepEqual(await captionsOf(join(demo, 'model.safetensors')), expected)
  const sharded = folderWith('sharded', (folder) => cpSync(join(reference, 'sharded'), folder, { recursive: true }))
  assert.deepEqual(await captionsOf(sharded), expected)
})

test('half precision files give the captions of their own weights written as float32, and are widened once', async () => {
  for (const kind of ['fp16', 'bf16']) {
    const half = folderWith(kind, (to) =>
      copyFileSync(join(reference, `model.${kind}.safetensors`), join(to, 'model.safetensors')),
    )
    const widened = folderWith(`${kind}-as-f32`, () => {})
    const { tensors } = await openCheckpoint(half)
    const values = []
    for (const tensor of tensors.values()) {
      const data = (await readTensor(tensor)) as Float32Array
      values.push({ name: tensor.name, shape: tensor.shape, dtype: 'F32' as const, data })
    }
    await writeSafetensors(join(widened, 'model.safetensors'), values)

    const steps: LoadProgress[] = []
    assert.deepEqual(await captionsOf(half, (progress) => steps.push(progress)), await captionsOf(widened))
    assert.ok(steps.some(({ step, loadedBytes, totalBytes }) => step === 'widen' && loadedBytes === totalBytes))
    await captionsOf(half, () => assert.fail('the second load widens nothing'))
  }
})

test('another image size resizes the position embeddings', async () => {
  const model = await loadBlip2(demo, { imageSize: 42 })
  assert.equal(model.config.vision_config.image_size, 42)
  assert.equal(typeof (await model.caption(scene)).pred_caption, 'string')
  await model.dispose()
  await assert.rejects(loadBlip2(demo, { imageSize: 40 }), /multiple of the patch size, 7 pixels, found 40/)
})

test('inferenceModel captions one image as in the published README', async () => {
  const { pred_caption } = await inferenceModel(demo, scene, { load: { threads: 1 }, task: { maxNewTokens: 6 } })
  assert.equal(typeof pred_caption, 'string')
})

test('weights that do not fit the configuration are listed by name', async () => {
  const folder = folderWith('misfit', (to) =>
    copyFileSync(join(demo, 'model.safetensors'), join(to, 'model.safetensors')),
  )
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  config.text_config.ffn_dim = 128
  config.qformer_config.num_hidden_layers = 3
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  await assert.rejects(loadBlip2(folder), (error: Error) => {
    assert.ok(error instanceof CheckpointError)
    assert.match(error.message, /layers\.0\.fc1\.weight: shape \(64, 40\), the model needs \(128, 40\)/)
    assert.match(error.message, /and \d+ more/)
    return true
  })
})

test('what is missing or wrong in a folder is said', async () => {
  const empty = join(temporary, 'empty')
  mkdirSync(empty)
  await assert.rejects(loadBlip2(empty), /expected model\.safetensors or .*, found no weights/)
  const noConfig = join(temporary, 'no-config')
  mkdirSync(noConfig)
  copyFileSync(join(demo, 'model.safetensors'), join(noConfig, 'model.safetensors'))
  await assert.rejects(loadBlip2(noConfig), /config\.json: cannot be read; a model folder has/)
  const badConfig = folderWith('bad-config', (folder) => writeFileSync(join(folder, 'config.json'), '{'))
  await assert.rejects(loadBlip2(badConfig), /config\.json: not JSON/)
  const noWeights = folderWith('no-weights', () => {})
  await assert.rejects(loadBlip2(noWeights), CheckpointError)
  await assert.rejects(loadBlip2(join(temporary, 'nowhere')), /no such folder or file/)
  await assert.rejects(loadBlip2(demo, { device: 'cuda' }), SessionError)
  await assert.rejects(loadBlip2(demo, { threads: 0 }), ConfigError)
})

test('a batch for which there is no memory is refused before anything is loaded, with the numbers', async () => {
  await assert.rejects(loadBlip2(demo, { batch: 1e9 }), (error: Error) => {
    assert.ok(error instanceof SessionError)
    assert.match(error.message, /not enough memory: needs [\d.]+ GB .* of [\d.]+ GB available; use a smaller model/)
    return true
  })
})

test('the plan of blip2-opt-2.7b leaves room for half a gigabyte beside the weights', async () => {
  const { findPreset } = await import('../../src/index.ts')
  const preset = findPreset('Salesforce/blip2-opt-2.7b')
  assert.ok(preset?.kind === 'generation')
  // 257·(6·1408 + 2·6144) + 2·16·257² activations, 2·32·2560·640 keys and values, 3·5·50304 logits; 4 bytes each.
  assert.equal(activationBytes(preset.config, 1), 4 * (7_442_720 + 104_857_600 + 754_560))
})

test('loading and disposing 20 times does not grow the memory', { timeout: 120_000 }, async () => {
  const resident = () => process.memoryUsage().rss / 1e6
  const cycle = async () => {
    const model = await loadBlip2(demo)
    await model.caption(scene, { maxNewTokens: 2 })
    await model.dispose()
  }
  for (let i = 0; i < 6; i++) await cycle()
  const before = resident()
  for (let i = 0; i < 20; i++) await cycle()
  // A model that stayed behind would hold at least a thread and its heap, some 10 MB each time.
  assert.ok(resident() - before < 60, `${before.toFixed(0)} MB before, ${resident().toFixed(0)} MB after 20 models`)
})

test('reading ahead skips what cannot be read and stops when asked', async () => {
  const reading = readAhead([join(temporary, 'nowhere'), join(demo, 'model.safetensors')])
  await reading.done
  await readAhead([join(demo, 'model.safetensors')]).stop()
})
