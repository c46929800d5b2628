/** By hand; against a straightforward loop; tests of the models compare with the reference's losses (test/parity). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { crossEntropy } from '../../src/nn/index.ts'
import { assertShapeError } from '../support/assert.ts'
import { assertGradients } from '../support/central-differences.ts'
import { compute } from '../support/evaluate.ts'
import { floats, longs, normal, numbers, type Tensor } from '../support/tensors.ts'

/** torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, label_smoothing=smoothing), as documented. */
function naiveCrossEntropy(logits: Tensor, labels: Tensor, smoothing: number): number {
  const classes = logits.shape.at(-1)!
  const losses = numbers(labels).flatMap((label, row) => {
    if (label === -100) return []
    const scores = numbers(logits).slice(row * classes, (row + 1) * classes)
    const normaliser = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0))
    const surprise = scores.map((score) => normaliser - score)
    const uniform = surprise.reduce((sum, one) => sum + one) / classes
    return [(1 - smoothing) * surprise[label]! + smoothing * uniform]
  })
  return losses.reduce((sum, loss) => sum + loss) / losses.length
}

async function lossOf(logits: Tensor, labels: Tensor, labelSmoothing?: number): Promise<number> {
  const classes = logits.shape.at(-1)!
  const [scores, targets] = [input('logits', 'float32', logits.shape), input('labels', 'int64', labels.shape)]
  const loss = crossEntropy(scores, targets, { classes, ...(labelSmoothing !== undefined && { labelSmoothing }) })
  assert.ok(loss.shape.every((size) => size === 1))
  return numbers(await compute(loss, { logits, labels }))[0]!
}

function assertNear(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) < 1e-6, `expected ${expected}, found ${found}`)
}

describe('crossEntropy', () => {
  const even = floats([1, 4], [3, 3, 3, 3])
  const odds = floats([2, 2], [Math.log(3), 0, 0, Math.log(3)]) // probabilities 3/4 and 1/4

  test('by hand', async () => {
    assertNear(await lossOf(even, longs([1], [2])), Math.log(4))
    assertNear(await lossOf(odds, longs([2], [0, 0])), -(Math.log(3 / 4) + Math.log(1 / 4)) / 2)
  })

  test('labels of -100 do not count', async () => {
    assertNear(await lossOf(odds, longs([2], [0, -100])), -Math.log(3 / 4))
    assert.ok(Number.isNaN(await lossOf(odds, longs([2], [-100, -100])))) // as in torch
  })

  test('smoothing by hand: 0.9 of the target and 0.05 of each of two classes', async () => {
    assertNear(await lossOf(odds, longs([2], [0, -100]), 0.1), -0.95 * Math.log(3 / 4) - 0.05 * Math.log(1 / 4))
    assertNear(await lossOf(even, longs([1], [0]), 0.1), Math.log(4))
  })

  test('against the loop, with more axes, batch 1, ignored labels and smoothing', async () => {
    for (const [shape, ids] of [
      [
        [3, 2, 5],
        [4, 0, -100, 2, 2, -100],
      ],
      [[1, 5], [1]],
      [
        [4, 1, 5],
        [0, 1, 2, -100],
      ],
    ] as const) {
      const logits = normal(ids.length, shape)
      const labels = longs(shape.slice(0, -1), ids)
      for (const smoothing of [0, 0.1, 1]) {
        assertNear(await lossOf(logits, labels, smoothing), naiveCrossEntropy(logits, labels, smoothing))
      }
    }
  })

  test('gradient', async () => {
    const fed = { logits: normal(1, [2, 3, 4]), labels: longs([2, 3], [0, 3, -100, 1, 1, 2]) }
    for (const labelSmoothing of [0, 0.1]) {
      await assertGradients(fed, (of) => crossEntropy(of.logits, of.labels, { classes: 4, labelSmoothing }), {
        shapes: { logits: ['tokens', 'batch', 4], labels: ['tokens', 'batch'] },
      })
    }
  })

  test('logits and labels that do not fit', () => {
    const logits = input('logits', 'float32', ['tokens', 'batch', 5])
    const labels = input('labels', 'int64', ['batch', 'tokens'])
    assertShapeError(
      () => crossEntropy(logits, labels, { classes: 5 }),
      'crossEntropy: logits (tokens, batch, 5) and labels (batch, tokens)',
    )
    assertShapeError(() => crossEntropy(logits, input('labels', 'int64', ['tokens', 'batch']), { classes: 6 }), '6')
  })
})
