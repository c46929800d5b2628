import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { input, layer, parameter, plainForm, reachable } from '../../src/graph/index.ts'
import type { OptConfig } from '../../src/models/config.ts'
import { languageModelGraph } from '../../src/models/pretraining.ts'
import { recorderParams } from '../../src/nn/index.ts'
import { add, exp, matmul, mul, reduceSum, reshape, sqrt } from '../../src/ops/index.ts'
import { fullSizes, keptBytes } from '../../src/training/activations.ts'

test('what the gradient reads again is counted once, views of it and what it does not read are not', () => {
  const x = input('x', 'float32', ['batch', 8])
  const w = parameter('w', [8, 4])
  const product = matmul(x, w) // read twice below: kept, 4 · batch
  const square = mul(product, reshape(product, ['batch', 4])) // its gradient reads the product and a view of it; kept for the root
  const root = sqrt(add(square, square)) // the sum is read by nobody, the root by its own gradient: kept
  const loss = reduceSum(root, [0, 1])
  const bytes = keptBytes([loss], gradients(loss, [w]), { batch: 10 })
  assert.equal(bytes, 2 * 4 * 4 * 10)
})

test('below the weights that train nothing is kept', () => {
  const x = input('x', 'float32', ['batch', 8])
  const frozen = matmul(mul(x, x), parameter('frozen', [8, 8]))
  const w = parameter('w', [8, 4])
  const loss = reduceSum(matmul(frozen, w), [0, 1])
  // Only the input of the last product.
  assert.equal(keptBytes([loss], gradients(loss, [w]), { batch: 3 }), 4 * 3 * 8)
})

test('layers that are computed again: what is read outside of them, and the inside of the largest', () => {
  const x = input('x', 'float32', ['batch', 8])
  const weights = [8, 16, 8].map(
    (width, i) => [parameter(`a${i}`, [8, width]), parameter(`b${i}`, [width, 8])] as const,
  )
  // A layer keeps its input (8) for the gradient of a, and its inner value (width) for those of exp and of b.
  let y = matmul(x, parameter('first', [8, 8]))
  for (const [a, b] of weights) y = layer(() => matmul(exp(matmul(y, a)), b))
  const loss = reduceSum(y, [0, 1])
  const bytes = (recompute: boolean) => keptBytes([loss], gradients(loss, weights.flat(), { recompute }), { batch: 10 })
  assert.equal(bytes(false), 4 * 10 * (3 * 8 + 8 + 16 + 8))
  assert.equal(bytes(true), 4 * 10 * (3 * 8 + 16))
})

test('full sizes have every named dimension of the language models in training', () => {
  const text = {
    vocab_size: 9,
    hidden_size: 4,
    num_hidden_layers: 2,
    ffn_dim: 5,
    num_attention_heads: 2,
    max_position_embeddings: 40,
  }
  const config = { ...text, model_type: 'opt', pad_token_id: 1 } as unknown as OptConfig
  const { params } = recorderParams()
  const names = new Set<string>()
  for (const { shape } of reachable([languageModelGraph(params, config).loss], plainForm))
    for (const dim of shape) if (typeof dim === 'string') for (const name of dim.match(/[a-z]+/g) ?? []) names.add(name)
  assert.deepEqual([...names].sort(), ['batch', 'predicting', 'rows', 'tokens'])
  const sizes = fullSizes(3, 10, 2)
  assert.deepEqual([sizes.rows, sizes.predicting], [36, 30])
  assert.deepEqual(
    [...names].filter((name) => !(name in sizes)),
    [],
  )
})
