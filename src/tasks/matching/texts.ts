/** Batches of texts as the graphs of a first-stage model read them. */
import type { Tensor } from '../../runtime/device.ts'
import { float32, int64, range, transposed } from '../layout.ts'
import { rightPadded } from '../padding.ts'

/**
 * Texts padded at the end to the longest of them. → input_ids (tokens, texts); positions (tokens, 1); mask (texts, 1, 1, queries + tokens)
 * for `queries` rows in front of the text, -∞ where there is padding.
 */
export function textInputs(
  texts: readonly (readonly number[])[],
  padId: number,
  queries = 0,
): { input_ids: Tensor; positions: Tensor; mask: Tensor } {
  const { items, tokens, ids, padding } = rightPadded(texts, padId)
  const keys = queries + tokens
  const mask = new Float32Array(items * keys)
  padding.forEach((padded, item) => {
    mask.fill(Number.NEGATIVE_INFINITY, (item + 1) * keys - padded, (item + 1) * keys)
  })
  return {
    input_ids: int64(transposed(ids, items, tokens), [tokens, items]),
    positions: { ...range(tokens), shape: [tokens, 1] },
    mask: float32(mask, [items, 1, 1, keys]),
  }
}

/** Places of the texts in batches of at most `size`, of similar length so that little is padding. */
export function batchesByLength(texts: readonly (readonly number[])[], size: number): number[][] {
  const length = (place: number) => texts[place]?.length ?? 0
  const places = texts.map((_, place) => place).sort((a, b) => length(a) - length(b))
  return Array.from({ length: Math.ceil(places.length / size) }, (_, batch) =>
    places.slice(batch * size, (batch + 1) * size),
  )
}
