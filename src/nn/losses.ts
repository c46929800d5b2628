import { int64s, scalar, shapeError, type Value } from '../graph/index.ts'
import {
  add,
  cast,
  div,
  equal,
  logSumExp,
  mul,
  pick,
  reduceMean,
  reduceSum,
  reshape,
  sub,
  where,
} from '../ops/index.ts'

export interface CrossEntropyOptions {
  readonly classes: number
  /** Share of the target spread evenly over all classes (0.1 in stage 1 of BLIP-2). */
  readonly labelSmoothing?: number
}

/** Labels of this value do not count. */
export const IGNORED = -100

/**
 * Mean negative log-likelihood of `labels` (…) under `logits` (…, classes); labels of -100 do not count
 * (torch.nn.CrossEntropyLoss, torch 1.13). → a value whose axes all have size 1.
 * Written as ln Σ eˣ - x[label], so that nothing of the size of the logits is made but, for the gradient, their softmax.
 */
export function crossEntropy(logits: Value, labels: Value, options: CrossEntropyOptions): Value {
  if (logits.shape.join() !== [...labels.shape, options.classes].join()) {
    throw shapeError('crossEntropy', [logits, labels], `expected (…, ${options.classes}) and (…)`)
  }
  const smoothing = options.labelSmoothing ?? 0
  const ignored = equal(labels, int64s([IGNORED], []))
  const perLabel = (x: Value) => reshape(x, labels.shape)
  const target = pick(logits, where(ignored, int64s([0], []), labels))
  const smoothed =
    smoothing === 0
      ? target
      : add(mul(target, scalar(1 - smoothing)), mul(perLabel(reduceMean(logits, [-1])), scalar(smoothing)))
  const counted = cast(where(ignored, int64s([0], []), int64s([1], [])), 'float32')
  const all = labels.shape.map((_, axis) => axis)
  const surprise = mul(sub(perLabel(logSumExp(logits)), smoothed), counted)
  return div(reduceSum(surprise, all), reduceSum(counted, all))
}
