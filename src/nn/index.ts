export { type AttentionOptions, attention } from './attention.ts'
export { emptyCache, type GraphCache, graphCache, type KeyValueCache, sharedCache } from './cache.ts'
export { type InitialiserOptions, initialisedParams } from './initialised.ts'
export { embedding, layerNorm, rmsNorm } from './layers.ts'
export { affine, FEW_ROWS, linear } from './linear.ts'
export { type CrossEntropyOptions, countsAsLabel, crossEntropy, IGNORED } from './losses.ts'
export { type Params, paramsFrom, routedParams, type WeightSource } from './params.ts'
export { type Recording, recorderParams } from './recorder.ts'
export {
  describeMisfit,
  findWeight,
  type Misfit,
  type StoredParams,
  type StoredParamsOptions,
  type StoredTensor,
  storedParams,
} from './stored.ts'
export { allTokens, type SomeTokens, someTokens, type TokenRows, untilLast } from './token-rows.ts'
