import { type DType, int, node, onnxDtypes, type Value } from '../graph/index.ts'

/** The same numbers as another dtype. dx = dy as x's dtype. */
export function cast(x: Value, dtype: DType): Value {
  if (x.dtype === dtype) return x
  const isFloat = (one: DType) => one.includes('float')
  return node('Cast', [x], {
    shape: x.shape,
    dtype,
    attributes: { to: int(onnxDtypes[dtype]) },
    gradient: isFloat(x.dtype) && isFloat(dtype) ? (dy) => [cast(dy!, x.dtype)] : 'whole numbers have no gradient',
  })
}
