/**
 * The two forms of a linear layer over weights in a file: x·wᵀ, and w·xᵀ, which `affine` takes for 2 to 64 rows. Eight weights of
 * 10,240 × 2,560, one after the other, so that no cache holds them. Writes 0.84 GB to .cache/bench-linear once.
 *
 *   node build/bench/linear.js [ROWS...]
 */
import { existsSync, mkdirSync } from 'node:fs'
import { openCheckpoint, writeSafetensors } from '../src/checkpoints/node.ts'
import { input, toOnnx } from '../src/graph/index.ts'
import { storedParams } from '../src/nn/index.ts'
import { add, fusedMatmul, gemm, reduceSum } from '../src/ops/index.ts'
import { openDevice } from '../src/runtime/node.ts'
import { float32 } from '../src/tasks/layout.ts'
import { best, say } from './open.ts'

const [OUT, IN, COUNT] = [10_240, 2_560, 8]
const folder = '.cache/bench-linear'
const rows = process.argv.slice(2).map(Number)

if (!existsSync(`${folder}/model.safetensors`)) {
  mkdirSync(folder, { recursive: true })
  const data = new Float32Array(OUT * IN).map((_, i) => Math.sin(i))
  const names = Array.from({ length: COUNT }, (_, i) => `weight.${i}`)
  const tensors = names.map((name) => ({ name, shape: [OUT, IN], dtype: 'F32' as const, data }))
  await writeSafetensors(`${folder}/model.safetensors`, tensors)
}

const { params } = storedParams((await openCheckpoint(folder)).tensors)
const x = input('x', 'float32', ['rows', IN])
const weights = Array.from({ length: COUNT }, (_, i) => params.get(`weight.${i}`, [OUT, IN]))
const forms = {
  x·wᵀ: weights.map((w) => gemm(x, w)),
  w·xᵀ: weights.map((w) => fusedMatmul(w, x, { transB: true })),
}

const device = await openDevice()
for (const [form, products] of Object.entries(forms)) {
  const sum = products.map((y) => reduceSum(y, [0, 1])).reduce((a, b) => add(a, b))
  const { bytes, weightsFolder } = toOnnx({ sum }, { purpose: 'inference' })
  const session = await device.createSession(bytes, weightsFolder === undefined ? {} : { weightsFolder })
  for (const count of rows.length > 0 ? rows : [1, 2, 5, 16, 36, 64, 128, 257]) {
    const values = float32(new Float32Array(count * IN).fill(0.1), [count, IN])
    say(`linear ${form}`, { batch: count, ms: await best(5, () => session.run({ x: values })) })
  }
  await session.dispose()
}
await device.dispose()
