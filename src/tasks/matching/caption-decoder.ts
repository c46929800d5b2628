/**
 * The Q-Former as the language model of its own captions (Li et al. 2023, section 3.2, image-grounded text generation): [DEC] and the
 * words behind it see the queries, which have seen the image. Reference: Blip2Qformer.generate, LAVIS 506965b.
 */
import type { Decoder } from '../../generation/decoder.ts'
import type { QFormerConfig } from '../../models/config.ts'
import type { Cache, Tensor } from '../../runtime/device.ts'
import { float32, int64, itemsFirst, joinItems, range, transposed } from '../layout.ts'
import { tokenTree } from '../token-tree.ts'
import type { CaptionSessions } from './sessions.ts'

export interface CaptionOptions {
  readonly queries: number
  /** [DEC], with which every caption begins. */
  readonly startTokenId: number
  /** Empty; where keys and values go. */
  readonly cache: Cache
}

/** images: (patches, 1, encoder's hidden_size) each. */
export function captionDecoder(
  sessions: CaptionSessions,
  config: QFormerConfig,
  images: readonly Tensor[],
  { queries, startTokenId, cache }: CaptionOptions,
): Decoder {
  const items = images.length
  const prefix = queries + 1
  const tree = tokenTree(items, prefix, new Uint8Array(items * prefix).fill(1))
  let position = 0

  /** tokens: (items, branches), all at the present position. mask: (items, 1, branches, rows so far). */
  async function read(tokens: Int32Array, mask: Float32Array): Promise<Float32Array> {
    const branches = tokens.length / items
    const session = await sessions.step(tokens.length)
    const { logits } = await session.run(
      {
        input_ids: int64(transposed(tokens, items, branches), [branches, items]),
        positions: int64(new Int32Array(tokens.length).fill(position), [branches, items]),
        mask: float32(mask, [items, 1, branches, prefix + tree.length]),
        read: range(branches),
      },
      { cache, outputs: ['logits'] },
    )
    position++
    return itemsFirst(logits?.data as Float32Array, items, branches)
  }

  return {
    items,
    vocabSize: config.vocab_size,
    async prefill() {
      const prompt = await sessions.prompt()
      await prompt.run({ image_embeds: joinItems(images) }, { cache, outputs: [] })
      return read(new Int32Array(items).fill(startTokenId), new Float32Array(items * prefix))
    },
    step: (tokens, parents) => read(tokens, tree.grow(parents)),
  }
}
