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
} from './elementwise.ts'
export { gather, oneHot } from './gather.ts'
export { fusedMatmul, gemm, matmul } from './matmul.ts'
export { layerNorm, rmsNorm } from './normalization.ts'
export { reduceMax, reduceMean, reduceSum, unbroadcast } from './reduce.ts'
export {
  concat,
  expandLike,
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
export { logSoftmax, softmax } from './softmax.ts'
