/**
 * The gradient of a linear layer's weight, dyᵀ·x, as ONNX Runtime writes it by itself (the transposition joined to the product) and as
 * `gemm` has it (the transposed dy a tensor of its own), for the products of a first-stage step at full size. Milliseconds of processor
 * time, which other programs on the machine disturb less.
 *
 *   node build/bench/weight-gradient.js
 */
import { input, toOnnx, type Value } from '../src/graph/index.ts'
import { fusedMatmul, gemm, reduceSum } from '../src/ops/index.ts'
import { openDevice } from '../src/runtime/node.ts'
import { float32 } from '../src/tasks/layout.ts'
import { say } from './open.ts'

/** Rows, outputs and inputs of: the images' keys, attention and feed-forward of matching, feed-forward of the queries alone. */
const products = [
  [2056, 768, 1408],
  [1536, 768, 768],
  [768, 3072, 768],
  [768, 768, 3072],
  [256, 3072, 768],
] as const

const device = await openDevice()
for (const [rows, out, size] of products) {
  const [x, dy] = [input('x', 'float32', [rows, size]), input('dy', 'float32', [rows, out])]
  const apart = weightGradient(gemm(x, input('w', 'float32', [out, size])), dy)
  for (const [form, gradient] of Object.entries({ joined: fusedMatmul(dy, x, { transA: true }), apart })) {
    const session = await device.createSession(
      toOnnx({ sum: reduceSum(gradient, [0, 1]) }, { purpose: 'training' }).bytes,
    )
    const feeds = { x: filled(rows, size), dy: filled(rows, out) }
    say(`weight gradient, ${form}`, { rows, out, in: size, ms: await leastProcessorTime(20, () => session.run(feeds)) })
    await session.dispose()
  }
}
await device.dispose()

/** From the gradient of a Gemm's output to that of its weight. */
function weightGradient({ source }: Value, dy: Value): Value {
  if (source.kind !== 'node' || typeof source.node.gradient === 'string') throw new Error('not a Gemm')
  return source.node.gradient(dy)[1] as Value
}

function filled(rows: number, columns: number) {
  return float32(
    new Float32Array(rows * columns).map((_, i) => Math.sin(i)),
    [rows, columns],
  )
}

async function leastProcessorTime(runs: number, work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
  }
  return least
}
