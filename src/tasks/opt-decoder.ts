/** OPT: the queries and the prompt are one prefix, which its own keys and values represent. */
import type { Decoder } from '../generation/decoder.ts'
import type { OptConfig } from '../models/config.ts'
import type { Tensor } from '../runtime/device.ts'
import type { DecoderOptions, PromptedImage } from './decoder.ts'
import { float32, int64, itemsFirst, joinItems, range, transposed } from './layout.ts'
import { leftPadded, type Prompts } from './padding.ts'
import type { Sessions } from './sessions.ts'
import { type TokenTree, tokenTree } from './token-tree.ts'

export function optDecoder(
  sessions: Sessions,
  config: OptConfig,
  items: readonly PromptedImage[],
  { cache, queriesCached }: DecoderOptions,
): Decoder {
  const queries = sessions.config.num_query_tokens
  const prompts = leftPadded(
    items.map((item) => item.prompt),
    config.pad_token_id,
  )
  const visible = visiblePrefix(prompts, queries)
  const prefix = queries + prompts.tokens
  const lengths = items.map((item) => queries + item.prompt.length)
  let tree: TokenTree
  let steps = 0

  return {
    items: items.length,
    vocabSize: config.vocab_size,

    async prefill() {
      tree = tokenTree(items.length, prefix, visible)
      const rows = queriesCached ? prompts.tokens : prefix
      const inputs: Record<string, Tensor> = {
        input_ids: int64(transposed(prompts.ids, items.length, prompts.tokens), [prompts.tokens, items.length]),
        positions: prefixPositions(visible, items.length, prefix, prefix - rows),
        mask: causalMask(visible, items.length, prefix, prefix - rows),
        read: int64([rows - 1]),
      }
      const session = queriesCached
        ? await sessions.step(rows * items.length)
        : await sessions.prompt(rows * items.length)
      if (!queriesCached) inputs.query_embeds = joinItems(items.map((item) => item.queryEmbeds))
      const { logits } = await session.run(inputs, { cache, outputs: ['logits'] })
      return logits?.data as Float32Array
    },

    async step(tokens, parents) {
      const branches = tokens.length / items.length
      const mask = tree.grow(parents)
      const positions = lengths.flatMap((length) => Array<number>(branches).fill(length + steps))
      steps++
      const session = await sessions.step(tokens.length)
      const { logits } = await session.run(
        {
          input_ids: int64(transposed(tokens, items.length, branches), [branches, items.length]),
          positions: int64(transposed(positions, items.length, branches), [branches, items.length]),
          mask: float32(mask, [items.length, 1, branches, prefix + tree.length]),
          read: range(branches),
        },
        { cache, outputs: ['logits'] },
      )
      return itemsFirst(logits?.data as Float32Array, items.length, branches)
    },
  }
}

/** (items, queries + tokens): 1 where there is a query or a token, 0 where there is padding. */
function visiblePrefix(prompts: Prompts, queries: number): Uint8Array {
  const prefix = queries + prompts.tokens
  const visible = new Uint8Array(prompts.items * prefix).fill(1)
  prompts.padding.forEach((padding, item) => {
    visible.fill(0, item * prefix + queries, item * prefix + queries + padding)
  })
  return visible
}

/** Positions (prefix - from, items) of the prefix from row `from` on; -1 for padding. */
function prefixPositions(visible: Uint8Array, items: number, prefix: number, from: number): Tensor {
  const positions: number[] = []
  for (let item = 0; item < items; item++) {
    let count = 0
    for (let row = 0; row < prefix; row++) {
      const seen = visible[item * prefix + row] as number
      count += seen
      if (row >= from) positions.push(seen ? count - 1 : -1)
    }
  }
  return int64(transposed(positions, items, prefix - from), [prefix - from, items])
}

/** (items, 1, prefix - from, prefix): each row sees what is not padding up to itself. */
function causalMask(visible: Uint8Array, items: number, prefix: number, from: number): Tensor {
  const rows = prefix - from
  const mask = new Float32Array(items * rows * prefix).fill(Number.NEGATIVE_INFINITY)
  for (let item = 0; item < items; item++) {
    for (let row = 0; row < rows; row++) {
      for (let key = 0; key <= from + row; key++) {
        if (visible[item * prefix + key]) mask[(item * rows + row) * prefix + key] = 0
      }
    }
  }
  return float32(mask, [items, 1, rows, prefix])
}
