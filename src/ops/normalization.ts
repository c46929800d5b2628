import { GradientError } from '../errors.ts'
import { float, int, multiNode, node, scalar, shapeError, type Value, withFusedForm } from '../graph/index.ts'
import { add, div, mul, sqrt, sub } from './elementwise.ts'
import { reduceMean, unbroadcast } from './reduce.ts'

/**
 * y = (x - mean) / √(variance + eps)·scale + bias over the last axis (Ba et al. 2016). ONNX Runtime also returns the mean and
 * the inverse deviation r, which is what the gradient needs: with n = (x - mean)·r and g = dy·scale,
 * dx = r·(g - mean g - n·mean(g·n)), dscale = Σ dy·n, dbias = Σ dy.
 */
export function layerNorm(x: Value, scale: Value, bias: Value, eps: number): Value {
  checkWidth('LayerNormalization', x, scale)
  checkWidth('LayerNormalization', x, bias)
  const statistics = [...x.shape.slice(0, -1), 1]
  const [y, mean, inverseDeviation] = multiNode('LayerNormalization', [x, scale, bias], {
    shapes: [x.shape, statistics, statistics],
    attributes: { axis: int(-1), epsilon: float(eps) },
    gradient: (dy, ...statistics) => {
      if (statistics.some((one) => one)) throw new GradientError('LayerNormalization: no second derivative is written')
      const n = mul(sub(x, mean), inverseDeviation)
      const g = mul(dy!, scale)
      const dx = mul(inverseDeviation, sub(sub(g, reduceMean(g, [-1])), mul(n, reduceMean(mul(g, n), [-1]))))
      return [dx, unbroadcast(mul(dy!, n), scale.shape), unbroadcast(dy!, bias.shape)]
    },
  }) as [Value, Value, Value]
  return y
}

/** y = x / √(mean x² + eps)·scale over the last axis (Zhang & Sennrich 2019), as T5 uses it: no mean, no bias. */
export function rmsNorm(x: Value, scale: Value, eps: number): Value {
  checkWidth('RMSNorm', x, scale)
  const plain = mul(div(x, sqrt(add(reduceMean(mul(x, x), [-1]), scalar(eps)))), scale)
  return withFusedForm(plain, () =>
    node('SimplifiedLayerNormalization', [x, scale], {
      shape: x.shape,
      attributes: { axis: int(-1), epsilon: float(eps) },
      gradient: 'a fused form is written for inference only',
    }),
  )
}

function checkWidth(op: string, x: Value, weight: Value): void {
  if (weight.shape.length !== 1 || weight.shape[0] !== x.shape.at(-1)) {
    throw shapeError(op, [x, weight], 'the weight must be as long as the last axis')
  }
}
