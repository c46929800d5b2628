import { type DType, node, type Value } from '../graph/index.ts'

/** The same numbers as another dtype. dx = dy as x's dtype. */
export function cast(x: Value, dtype: DType): Value {
  if (x.dtype === dtype) return x
  const to = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10, bfloat16: 16 }[dtype]
  const isFloat = (one: DType) => one.includes('float')
  return node('Cast', [x], {
    shape: x.shape,
    dtype,
    attributes: { to: { int: to } },
    gradient: isFloat(x.dtype) && isFloat(dtype) ? (dy) => [cast(dy!, x.dtype)] : 'whole numbers have no gradient',
  })
}
