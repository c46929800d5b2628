/**
 * The Querying Transformer without its text half (Li et al. 2023, section 3.1 and figure 2): learned queries attend to each
 * other and, in every `cross_attention_frequency`-th layer, to the frozen image features.
 * Reference: Blip2QFormerModel, transformers 4.27.1.
 */
import type { Value } from '../graph/index.ts'
import { attention, layerNorm, linear, type Params } from '../nn/index.ts'
import { add, gelu, repeatAxis, transpose } from '../ops/index.ts'
import type { QFormerConfig } from './config.ts'

/** queryTokens (1, queries, hidden_size), image (patches, batch, encoder_hidden_size) → (queries, batch, hidden_size). */
export function qformer(p: Params, config: QFormerConfig, queryTokens: Value, image: Value): Value {
  const queries = layerNorm(p.at('layernorm'), transpose(queryTokens, [1, 0, 2]), config.layer_norm_eps)
  let x = repeatAxis(queries, 1, image, 1)
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const seesImage = i % config.cross_attention_frequency === 0
    x = qformerLayer(p.at('encoder.layer').at(i), config, x, seesImage ? image : undefined)
  }
  return x
}

/** Post-norm block; the queries have a feed-forward of their own (`intermediate_query`, `output_query`). */
function qformerLayer(p: Params, config: QFormerConfig, x: Value, image: Value | undefined): Value {
  const attended = attentionBlock(p.at('attention'), config, x, x)
  const seen = image ? attentionBlock(p.at('crossattention'), config, attended, image) : attended
  const widened = gelu(linear(p.at('intermediate_query.dense'), seen, config.intermediate_size))
  return p.label(addAndNorm(p.at('output_query'), config, widened, seen))
}

/** Attention of x (queries, batch, hidden_size) to `context`, added to x and normalised. */
function attentionBlock(p: Params, config: QFormerConfig, x: Value, context: Value): Value {
  const size = config.hidden_size
  const q = linear(p.at('attention.query'), x, size)
  const k = linear(p.at('attention.key'), context, size)
  const v = linear(p.at('attention.value'), context, size)
  return addAndNorm(p.at('output'), config, attention(q, k, v, { heads: config.num_attention_heads }), x)
}

/** BERT's output block: LayerNorm(dense(y) + x). */
function addAndNorm(p: Params, config: QFormerConfig, y: Value, x: Value): Value {
  return layerNorm(p.at('LayerNorm'), add(linear(p.at('dense'), y, config.hidden_size), x), config.layer_norm_eps)
}
