import { constant, scalar, shapeError, type Value } from '../graph/index.ts'
import { add, cast, div, equal, logSoftmax, mul, neg, oneHot, reduceSum, reshape, sub } from '../ops/index.ts'

export interface CrossEntropyOptions {
  readonly classes: number
  /** Share of the target spread evenly over all classes (0.1 in stage 1 of BLIP-2). */
  readonly labelSmoothing?: number
}

/**
 * Mean negative log-likelihood of `labels` (…) under `logits` (…, classes); labels of -100 do not count
 * (torch.nn.CrossEntropyLoss, torch 1.13). → a value whose axes all have size 1.
 */
export function crossEntropy(logits: Value, labels: Value, options: CrossEntropyOptions): Value {
  if (logits.shape.join() !== [...labels.shape, options.classes].join()) {
    throw shapeError('crossEntropy', [logits, labels], `expected (…, ${options.classes}) and (…)`)
  }
  const smoothing = options.labelSmoothing ?? 0
  const logp = logSoftmax(logits)
  const hit = oneHot(labels, constant(BigInt64Array.from({ length: options.classes }, (_, i) => BigInt(i))))
  const counted = sub(scalar(1), cast(equal(labels, constant(BigInt64Array.of(-100n), [])), 'float32'))
  const all = labels.shape.map((_, axis) => axis)
  const uniform = mul(reduceSum(logp, [-1]), scalar(smoothing / options.classes))
  const perLabel = add(mul(reduceSum(mul(logp, hit), [-1]), scalar(1 - smoothing)), uniform)
  const total = reduceSum(mul(reshape(perLabel, labels.shape), counted), all)
  return neg(div(total, reduceSum(counted, all)))
}
