/** Flan-T5: the encoder reads the queries and the prompt; the decoder looks its keys and values up at every step. */
import type { Decoder } from '../generation/decoder.ts'
import type { T5Config } from '../models/config.ts'
import type { DecoderOptions, PromptedImage } from './decoder.ts'
import { float32, int64, itemsFirst, joinItems, range, transposed } from './layout.ts'
import { rightPadded } from './padding.ts'
import type { Sessions } from './sessions.ts'
import { type TokenTree, tokenTree } from './token-tree.ts'

export function t5Decoder(
  sessions: Sessions,
  config: T5Config,
  items: readonly PromptedImage[],
  { cache }: DecoderOptions,
): Decoder {
  const queries = sessions.config.num_query_tokens
  const prompts = rightPadded(
    items.map((item) => item.prompt),
    config.pad_token_id,
  )
  const source = queries + prompts.tokens
  const sourceMask = new Float32Array(items.length * source)
  prompts.padding.forEach((padding, item) => {
    sourceMask.fill(Number.NEGATIVE_INFINITY, (item + 1) * source - padding, (item + 1) * source)
  })
  const mask = float32(sourceMask, [items.length, 1, 1, source])

  let tree: TokenTree
  /** Positions of the rows in the decoder's cache: 0 for the start token, then one position per step for all branches. */
  const positions: number[] = [0]

  /** ids: (items, branches); all of them stand at `position`. */
  async function decode(ids: Int32Array | number[], branches: number, position: number, visible: Float32Array) {
    const session = await sessions.step(ids.length)
    const { logits } = await session.run(
      {
        input_ids: int64(transposed(ids, items.length, branches), [branches, items.length]),
        positions: int64(Array<number>(branches).fill(position)),
        key_positions: int64(positions),
        mask: float32(visible, [items.length, 1, branches, positions.length]),
        source_mask: mask,
        read: range(branches),
      },
      { cache, outputs: ['logits'] },
    )
    return itemsFirst(logits?.data as Float32Array, items.length, branches)
  }

  return {
    items: items.length,
    vocabSize: config.vocab_size,

    async prefill() {
      tree = tokenTree(items.length, 1, new Uint8Array(items.length).fill(1))
      const encoder = await sessions.prompt(source * items.length)
      await encoder.run(
        {
          query_embeds: joinItems(items.map((item) => item.queryEmbeds)),
          input_ids: int64(transposed(prompts.ids, items.length, prompts.tokens), [prompts.tokens, items.length]),
          positions: range(source),
          mask,
        },
        { cache, outputs: [] },
      )
      const start = Array<number>(items.length).fill(config.decoder_start_token_id)
      return decode(start, 1, 0, new Float32Array(items.length))
    },

    async step(tokens, parents) {
      const branches = tokens.length / items.length
      const position = (positions.at(-1) as number) + 1
      const visible = tree.grow(parents)
      positions.push(...Array<number>(branches).fill(position))
      return decode(tokens, branches, position, visible)
    },
  }
}
