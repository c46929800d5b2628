import { input, labelled, type Value } from '../../src/graph/index.ts'
import { promptGraph, stepGraph } from '../../src/models/blip2.ts'
import type { T5Config } from '../../src/models/config.ts'
import { crossEntropy } from '../../src/nn/index.ts'
import { reshape } from '../../src/ops/index.ts'
import { evaluate, type Feeds } from '../support/evaluate.ts'
import { floats, longs } from '../support/tensors.ts'
import type { Named } from './compare.ts'
import type { TextRun, Texts } from './hf-text.ts'
import { batchFirst, find, range, rows, sequenceFirst } from './layout.ts'

/** `encoder_last_hidden_state`, `decoder_input_ids`, `logits` (batch, labels, vocab), `loss`. */
export async function t5Outputs({ params, config, queryEmbeds, target }: TextRun, texts: Texts): Promise<Named> {
  const text_config = config.text_config as T5Config
  const visible = rows(texts.mask).map((row) => [...range(config.num_query_tokens).map(() => 1), ...row])
  const [batch, source] = [visible.length, visible[0]!.length]
  const sourceMask = floats(
    [batch, 1, 1, source],
    visible.flat().map((seen) => (seen ? 0 : Number.NEGATIVE_INFINITY)),
  )
  const prompt = promptGraph(params, config)
  const encoded = find(labelled(Object.values(prompt)))('language_model.encoder.final_layer_norm')
  const { encoder_last_hidden_state, ...present } = await evaluate(
    { ...prompt, encoder_last_hidden_state: batchFirst(encoded) },
    {
      query_embeds: queryEmbeds,
      input_ids: sequenceFirst(texts.ids),
      positions: longs([source], range(source)),
      mask: sourceMask,
    },
    target,
  )

  const { logits } = stepGraph(params, config) as { logits: Value }
  const labels = input('labels', 'int64', logits.shape.slice(0, 2))
  const decoderIds = shiftedRight(texts, text_config)
  const length = decoderIds.shape[1]!
  const places = longs([length], range(length))
  const decoded = await evaluate(
    {
      logits: batchFirst(logits),
      loss: reshape(crossEntropy(logits, labels, { classes: text_config.vocab_size }), []),
    },
    {
      ...caches(logits, present, batch),
      input_ids: sequenceFirst(decoderIds),
      labels: sequenceFirst(texts.labels),
      positions: places,
      key_positions: places,
      read: places,
      mask: causalMask(batch, length, texts.labelMask && rows(texts.labelMask)),
      source_mask: sourceMask,
    },
    target,
  )
  return { encoder_last_hidden_state: encoder_last_hidden_state!, decoder_input_ids: decoderIds, ...decoded }
}

/** What the decoder is fed: the start token, then the labels but the last, padding where nothing is predicted. */
function shiftedRight({ labels }: Texts, config: T5Config) {
  const shifted = rows(labels).map((row) => [config.decoder_start_token_id, ...row.slice(0, -1)])
  return longs(
    labels.shape,
    shifted.flat().map((id) => (id === -100 ? config.pad_token_id : id)),
  )
}

/** The source's keys and values from the encoder's graph; none yet of the decoder's own tokens. */
function caches(logits: Value, present: Feeds, batch: number): Feeds {
  const names = [...labelled([logits])].filter(([name]) => name.startsWith('past.'))
  return Object.fromEntries(
    names.map(([name, value]) => [
      name,
      present[name.replace('past.', 'present.')] ?? floats([0, batch, value.shape[2] as number], []),
    ]),
  )
}

function causalMask(batch: number, length: number, visible?: readonly (readonly number[])[]) {
  const seen = (item: number, query: number, key: number) => key <= query && visible?.[item]?.[key] !== 0
  const scores = range(batch).flatMap((item) =>
    range(length).flatMap((query) =>
      range(length).map((key) => (seen(item, query, key) ? 0 : Number.NEGATIVE_INFINITY)),
    ),
  )
  return floats([batch, 1, length, length], scores)
}
