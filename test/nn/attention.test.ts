/** Against loops over batch, heads, tokens and keys in double precision (Vaswani et al. 2017, section 3.2). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { type AttentionOptions, attention } from '../../src/nn/index.ts'
import { assertShapeError, assertTensor } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, normal, numbers, type Tensor } from '../support/tensors.ts'

/** `bias` is (batch, heads, tokens, keys). */
function naiveAttention(q: Tensor, k: Tensor, v: Tensor, heads: number, scale: number, bias?: Tensor): Tensor {
  const [tokens, batch, size] = q.shape as [number, number, number]
  const keys = k.shape[0]!
  const width = size / heads
  const [qs, ks, vs, biases] = [q, k, v, bias].map((tensor) => numbers(tensor)) as [
    number[],
    number[],
    number[],
    number[],
  ]
  const y = new Array<number>(tokens * batch * size)
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let t = 0; t < tokens; t++) {
        const at = (row: number, i: number) => (row * batch + b) * size + h * width + i
        const scores = Array.from({ length: keys }, (_, key) => {
          let score = 0
          for (let i = 0; i < width; i++) score += qs[at(t, i)]! * ks[at(key, i)]!
          return score * scale + (bias ? biases[((b * heads + h) * tokens + t) * keys + key]! : 0)
        })
        const largest = Math.max(...scores)
        const weights = scores.map((score) => Math.exp(score - largest))
        const sum = weights.reduce((total, weight) => total + weight)
        for (let i = 0; i < width; i++) {
          y[at(t, i)] = weights.reduce((total, weight, key) => total + (weight / sum) * vs[at(key, i)]!, 0)
        }
      }
  return floats(q.shape, y)
}

/** q (tokens, batch, 6), k and v (keys, batch, 6), with all sizes but the last named. */
function tensors(tokens: number, keys: number, batch: number) {
  return { q: normal(1, [tokens, batch, 6]), k: normal(2, [keys, batch, 6]), v: normal(3, [keys, batch, 6]) }
}
const named = { q: ['tokens', 'batch', 6], k: ['keys', 'batch', 6], v: ['keys', 'batch', 6] }

function build(options: AttentionOptions) {
  return attention(
    input('q', 'float32', named.q),
    input('k', 'float32', named.k),
    input('v', 'float32', named.v),
    options,
  )
}

describe('attention', () => {
  for (const purpose of ['training', 'inference'] as const) {
    test(`values, ${purpose}: several heads and one, batch 1, one key`, async () => {
      for (const [tokens, keys, batch, heads] of [
        [4, 5, 2, 3],
        [4, 5, 2, 1],
        [1, 3, 1, 2],
        [3, 1, 2, 6],
      ] as const) {
        const fed = tensors(tokens, keys, batch)
        const expected = naiveAttention(fed.q, fed.k, fed.v, heads, (6 / heads) ** -0.5)
        assert.deepEqual(build({ heads }).shape, named.q)
        assertTensor(await compute(build({ heads }), fed, { purpose }), expected, 2e-6, `${heads} heads`)
      }
    })

    test(`a scale, a bias per head, a mask per item, ${purpose}`, async () => {
      const fed = tensors(3, 4, 2)
      const bias = normal(4, [2, 3, 3, 4])
      const scaled = build({ heads: 3, scale: 1, bias: input('bias', 'float32', ['batch', 3, 'tokens', 'keys']) })
      const expected = naiveAttention(fed.q, fed.k, fed.v, 3, 1, bias)
      assertTensor(await compute(scaled, { ...fed, bias }, { purpose }), expected, 2e-6)

      const hide = Number.NEGATIVE_INFINITY
      const mask = floats([2, 1, 1, 4], [0, 0, 0, 0, hide, 0, hide, 0])
      const everywhere = floats(
        [2, 3, 3, 4],
        Array.from({ length: 72 }, (_, i) => numbers(mask)[Math.floor(i / 36) * 4 + (i % 4)]!),
      )
      const masked = build({ heads: 3, bias: input('mask', 'float32', ['batch', 1, 1, 'keys']) })
      const unseen = naiveAttention(fed.q, fed.k, fed.v, 3, 2 ** -0.5, everywhere)
      assertTensor(await compute(masked, { ...fed, mask }, { purpose }), unseen, 2e-6)
    })
  }

  test('gradient', async () => {
    const fed = { ...tensors(2, 3, 2), bias: normal(5, [3, 2, 3]) }
    await assertGradients(fed, ({ q, k, v, bias }) => attention(q, k, v, { heads: 3, bias }))
    await assertGradients(fed, ({ q, k, v, bias }) => attention(q, k, v, { heads: 3, bias }), {
      shapes: { ...named, bias: [3, 'tokens', 'keys'] },
    })
  })

  test('heads that do not divide the size, keys of another size or batch', () => {
    const q = input('q_proj', 'float32', ['tokens', 'batch', 6])
    assertShapeError(() => attention(q, q, q, { heads: 4 }), 'attention: q_proj (tokens, batch, 6)', '4 heads')
    const k = input('key', 'float32', ['keys', 'batch', 8])
    assertShapeError(
      () => attention(q, k, k, { heads: 2 }),
      'attention: q_proj (tokens, batch, 6) and key (keys, batch, 8)',
    )
    const v = input('value', 'float32', ['others', 'batch', 6])
    assertShapeError(() => attention(q, q, v, { heads: 2 }), 'attention: q_proj', 'value (others, batch, 6)')
  })
})
