/** The tensors that are counted, wherever they are listed. */
import { imageGraph, promptGraph, questionGraph, stepGraph } from '../../models/blip2.ts'
import { type Blip2Config, isRetrievalConfig, type RetrievalConfig } from '../../models/config.ts'
import {
  captionPromptGraph,
  captionStepGraph,
  imageFeaturesGraph,
  matchGraph,
  temperature,
  textFeaturesGraph,
} from '../../models/retrieval.ts'
import { type Params, recorderParams } from '../../nn/index.ts'

/** A tensor of a file or of a configuration; `StoredTensor` is one. */
export interface Listed {
  readonly name: string
  /** As in safetensors: F32, BF16, I64, … */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Bytes. */
  readonly length: number
}

/** What a model of this configuration needs, in the order of use, as float32. Builds its graphs; reads nothing. */
export function tensorsOf(config: Blip2Config | RetrievalConfig): Listed[] {
  const { params, shapes } = recorderParams()
  if (isRetrievalConfig(config)) recordRetrieval(params, config)
  else recordGeneration(params, config)
  return Array.from(shapes, ([name, shape]) => ({ name, dtype: 'F32', shape, length: 4 * elements(shape) }))
}

function recordGeneration(params: Params, config: Blip2Config): void {
  imageGraph(params, config)
  if (config.qformer_reads_question) questionGraph(params, config)
  promptGraph(params, config)
  stepGraph(params, config)
}

/** With what files of Hugging Face do not have: the captioning head and the temperature. */
function recordRetrieval(params: Params, config: RetrievalConfig): void {
  imageFeaturesGraph(params, config)
  textFeaturesGraph(params, config)
  matchGraph(params, config, 'batch')
  captionPromptGraph(params, config)
  captionStepGraph(params, config)
  temperature(params)
}

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}
