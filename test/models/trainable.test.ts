/** Against the list of the reference (LAVIS 506965b, what requires a gradient). */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { canonicalNames } from '../../src/models/names/names.ts'
import { trains } from '../../src/models/trainable.ts'
import { referenceDir } from '../support/paths.ts'
import { readJson } from '../support/reference.ts'

for (const folder of ['lavis-stage2-opt', 'lavis-stage2-t5']) {
  test(`everything but the frozen models trains: ${folder}`, async () => {
    const { tensors } = await openCheckpoint(join(referenceDir, folder, 'model.safetensors'))
    const { trainable } = (await readJson(join(referenceDir, folder, 'cases.json'))) as { trainable: string[] }
    const found = [...canonicalNames([...tensors.keys()], folder).tensors.keys()].filter(
      (name) => trains(name) && !name.endsWith('position_ids'),
    )
    assert.deepEqual(found.sort(), [...canonicalNames(trainable, folder).tensors.keys()].sort())
  })
}

test('the image encoder when it is fine-tuned, either of them; its norm always; the language model never', () => {
  for (const name of ['vision_model.encoder.layers.0.mlp.fc1.weight', 'visual_encoder.class_embedding']) {
    assert.deepEqual([trains(name), trains(name, { imageEncoder: true })], [false, true], name)
  }
  assert.ok(trains('vision_model.post_layernorm.weight'))
  assert.ok(!trains('language_model.lm_head.weight', { imageEncoder: true }))
})
