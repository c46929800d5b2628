import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCheckpoint, readTensor } from '../../src/checkpoints/node.ts'
import { interpolatePositions } from '../../src/models/positions.ts'
import { referenceDir } from '../support/paths.ts'

const folder = join(referenceDir, 'vision')
const { grid, max_abs_diff_float32_vs_float64: noise } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'))

async function values(file: string, name: string): Promise<Float32Array> {
  const tensor = (await openCheckpoint(join(folder, file))).tensors.get(name)
  assert.ok(tensor, name)
  return (await readTensor(tensor)) as Float32Array
}

test('positions of a larger and a smaller image equal those of LAVIS (reference/vision)', async () => {
  const stored = await values('eva.hf.safetensors', 'vision_model.embeddings.position_embedding')
  const width = stored.length / (1 + grid.native ** 2)
  for (const [size, name] of [
    [grid.big, 'eva.interpolated_pos_embed'],
    [grid.small, 'eva.interpolated_pos_embed_small'],
  ] as const) {
    const expected = await values('cases.safetensors', name)
    const found = interpolatePositions(stored, { from: grid.native, to: size, width, alignCorners: false })
    assert.equal(found.length, expected.length)
    const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0)
    assert.ok(worst <= 10 * noise[name], `${name}: differs by ${worst}`)
  }
})

test('the same size changes nothing', () => {
  const stored = Float32Array.from({ length: 10 * 3 }, (_, i) => Math.sin(i))
  assert.deepEqual(interpolatePositions(stored, { from: 3, to: 3, width: 3, alignCorners: false }), stored)
})
