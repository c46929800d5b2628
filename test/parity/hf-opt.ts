import { input, labelled, type Value } from '../../src/graph/index.ts'
import { promptGraph } from '../../src/models/blip2.ts'
import type { OptConfig } from '../../src/models/config.ts'
import { crossEntropy } from '../../src/nn/index.ts'
import { reshape, slice } from '../../src/ops/index.ts'
import { evaluate } from '../support/evaluate.ts'
import { floats, longs } from '../support/tensors.ts'
import type { Named } from './compare.ts'
import type { TextRun, Texts } from './hf-text.ts'
import { batchFirst, find, range, rows, sequenceFirst } from './layout.ts'

/** `logits` (batch, queries + tokens, vocab), `loss`, `opt_hidden_states.N` (the last one after the final norm). */
export async function optOutputs({ params, config, queryEmbeds, target }: TextRun, texts: Texts): Promise<Named> {
  const queries = config.num_query_tokens
  const text_config = config.text_config as OptConfig
  const { logits } = promptGraph(params, config) as { logits: Value }
  const inside = find(labelled([logits]))
  const decoder = 'language_model.model.decoder'
  const layers = range(text_config.num_hidden_layers - 1).map((i) => inside(`${decoder}.layers.${i}`))
  const states = [inside(`${decoder}.embeddings`), ...layers, inside(`${decoder}.final_layer_norm`)]

  const predicting = slice(logits, 0, queries) // the loss stays inside the text
  const labels = input('labels', 'int64', predicting.shape.slice(0, 2))
  const loss = crossEntropy(predicting, labels, { classes: text_config.vocab_size })

  return evaluate(
    {
      logits: batchFirst(logits),
      loss: reshape(loss, []),
      ...Object.fromEntries(states.map((state, i) => [`opt_hidden_states.${i}`, batchFirst(state)])),
    },
    { ...prefixFeeds(queries, texts), query_embeds: queryEmbeds, labels: nextTokens(texts) },
    target,
  )
}

/** Queries, then the text: a token sees what is no padding up to itself, and stands behind as many tokens as it sees. */
function prefixFeeds(queries: number, { ids, mask }: Texts) {
  const visible = rows(mask).map((row) => [...range(queries).map(() => 1), ...row])
  const [batch, length] = [visible.length, visible[0]!.length]
  const positions = visible.map((row) => row.map((seen, at) => (seen ? row.slice(0, at).filter(Boolean).length : -1)))
  const scores = visible.flatMap((row) =>
    row.flatMap((_, query) => row.map((seen, key) => (seen && key <= query ? 0 : Number.NEGATIVE_INFINITY))),
  )
  return {
    input_ids: sequenceFirst(ids),
    positions: sequenceFirst(longs([batch, length], positions.flat())),
    mask: floats([batch, 1, length, length], scores),
    read: longs([length], range(length)),
  }
}

/** The label of each token is the token behind it; the last one has none. */
function nextTokens({ labels }: Texts) {
  const shifted = rows(labels).map((row) => [...row.slice(1), -100])
  return sequenceFirst(longs(labels.shape, shifted.flat()))
}
