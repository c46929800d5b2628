export { cast } from './cast.ts'
export {
  add,
  clip,
  div,
  equal,
  erf,
  exp,
  gelu,
  greater,
  mul,
  neg,
  quickGelu,
  relu,
  sigmoid,
  sqrt,
  sub,
  where,
} from './elementwise.ts'
export { gather, oneHot, takeItems } from './gather.ts'
export { fusedMatmul, gemm, matmul } from './matmul.ts'
export { layerNorm, rmsNorm } from './normalization.ts'
export { onceKnown } from './order.ts'
export { argMax, reduceMax, reduceMean, reduceSum, unbroadcast } from './reduce.ts'
export { putRows, type Rows, rowsWhere, takeRows } from './rows.ts'
export {
  concat,
  dropFrontAxes,
  expandLike,
  indicesAlong,
  repeatAxis,
  reshape,
  reshapeLike,
  shapeOf,
  slice,
  split,
  swapLast,
  transpose,
  zerosLike,
} from './shape.ts'
export { logSoftmax, softmax, surprise } from './softmax.ts'
