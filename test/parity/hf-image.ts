/** The image half of a Hugging Face folder: encoder, Q-Former, projection, by the names of the reference's outputs. */

import { int64s, labelled, type Target, type Value } from '../../src/graph/index.ts'
import { imageGraph } from '../../src/models/blip2.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { layerNorm, type Params } from '../../src/nn/index.ts'
import { gather } from '../../src/ops/index.ts'
import { evaluate } from '../support/evaluate.ts'
import type { Tensor } from '../support/tensors.ts'
import type { Named } from './compare.ts'
import { batchFirst, find } from './layout.ts'

export interface ImageOutputs {
  /** By the reference's names, batch first. */
  readonly named: Named
  /** (queries, batch, size), for the language model. */
  readonly queryEmbeds: Tensor
}

/** pixelValues (batch, 3, image_size, image_size). */
export async function imageOutputs(
  params: Params,
  config: Blip2Config,
  pixelValues: Tensor,
  target: Target,
): Promise<ImageOutputs> {
  const { query_embeds } = imageGraph(params, config) as { query_embeds: Value }
  const inside = find(labelled([query_embeds]))
  const normed = inside('vision_model.post_layernorm')
  const queries = inside('qformer.last_hidden_state')
  const { num_hidden_layers, layer_norm_eps } = config.vision_config
  const blocks = Array.from({ length: num_hidden_layers }, (_, i) => inside(`vision_model.encoder.layers.${i}`))
  const states = [inside('vision_model.embeddings'), ...blocks]

  const { query_embeds: queryEmbeds, ...named } = await evaluate(
    {
      query_embeds,
      ...Object.fromEntries(states.map((state, i) => [`vision_hidden_states.${i}`, batchFirst(state)])),
      vision_last_hidden_state: batchFirst(normed),
      // The published model normalises the class token a second time.
      vision_pooler_output: layerNorm(params.at('vision_model.post_layernorm'), first(normed), layer_norm_eps),
      qformer_last_hidden_state: batchFirst(queries),
      qformer_pooler_output: first(queries),
      language_projection: batchFirst(query_embeds),
    },
    { pixel_values: pixelValues },
    target,
  )
  return { named, queryEmbeds: queryEmbeds! }
}

/** The first token of (tokens, batch, size), as (batch, size). */
export function first(x: Value): Value {
  return gather(x, int64s([0], []))
}
