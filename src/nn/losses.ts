import { int64s, shapeError, type Value } from '../graph/index.ts'
import { cast, div, equal, mul, reduceSum, surprise, where } from '../ops/index.ts'

export interface CrossEntropyOptions {
  readonly classes: number
  /** Share of the target spread evenly over all classes (0.1 in stage 1 of BLIP-2). */
  readonly labelSmoothing?: number
}

/** Labels of this value do not count. */
export const IGNORED = -100

/** 1 for the labels that count, else 0, int64. */
export function countsAsLabel(labels: Value): Value {
  return where(equal(labels, int64s([IGNORED], [])), int64s([0], []), int64s([1], []))
}

/**
 * Mean negative log-likelihood of `labels` (…) under `logits` (…, classes); labels of -100 do not count
 * (torch.nn.CrossEntropyLoss, torch 1.13). → a value whose axes all have size 1.
 */
export function crossEntropy(logits: Value, labels: Value, options: CrossEntropyOptions): Value {
  if (logits.shape.join() !== [...labels.shape, options.classes].join()) {
    throw shapeError('crossEntropy', [logits, labels], `expected (…, ${options.classes}) and (…)`)
  }
  const counts = countsAsLabel(labels)
  const counted = cast(counts, 'float32')
  const each = surprise(logits, mul(labels, counts), options.labelSmoothing ?? 0)
  const all = labels.shape.map((_, axis) => axis)
  return div(reduceSum(mul(each, counted), all), reduceSum(counted, all))
}
