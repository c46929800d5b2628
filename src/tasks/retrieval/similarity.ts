/** ITC similarity in plain JavaScript, for encoders that do not bring a graph for it. */

/** Multiplications between two looks at the event loop: about a tenth of a second. */
const breath = 2 ** 27

export interface SimilarityShape {
  readonly images: number
  readonly queries: number
  readonly texts: number
  readonly embedSize: number
}

/**
 * The largest dot product over the queries. `projectedImages` (images, queries, embedSize) · `projectedTexts` (texts, embedSize) →
 * (images, texts). Sums are float64 and rounded once, so a value does not depend on what else is in the block.
 */
export async function similarities(
  projectedImages: Float32Array,
  projectedTexts: Float32Array,
  { images, queries, texts, embedSize }: SimilarityShape,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const all = new Float32Array(images * texts)
  const perBreath = Math.max(1, Math.floor(breath / (queries * embedSize * texts)))
  for (let image = 0; image < images; image++) {
    if (image > 0 && image % perBreath === 0) {
      await new Promise((resolve) => setTimeout(resolve))
      signal?.throwIfAborted()
    }
    const projected = projectedImages.subarray(image * queries * embedSize, (image + 1) * queries * embedSize)
    ofImage(projected, projectedTexts, embedSize, all.subarray(image * texts, (image + 1) * texts))
  }
  return all
}

/**
 * Two queries with four texts at a time: eight sums that stay in registers for six loads. Where they are not whole numbers of those,
 * the last one is taken again.
 */
function ofImage(image: Float32Array, projectedTexts: Float32Array, embedSize: number, row: Float32Array): void {
  const lastQuery = image.length - embedSize
  const lastText = row.length - 1
  for (let text = 0; text <= lastText; text += 4) {
    const c0 = text * embedSize
    const c1 = Math.min(text + 1, lastText) * embedSize
    const c2 = Math.min(text + 2, lastText) * embedSize
    const c3 = Math.min(text + 3, lastText) * embedSize
    let best0 = Number.NEGATIVE_INFINITY
    let best1 = best0
    let best2 = best0
    let best3 = best0
    for (let a = 0; a <= lastQuery; a += 2 * embedSize) {
      const b = Math.min(a + embedSize, lastQuery)
      let a0 = 0
      let a1 = 0
      let a2 = 0
      let a3 = 0
      let b0 = 0
      let b1 = 0
      let b2 = 0
      let b3 = 0
      for (let i = 0; i < embedSize; i++) {
        const x = image[a + i]!
        const y = image[b + i]!
        const t0 = projectedTexts[c0 + i]!
        const t1 = projectedTexts[c1 + i]!
        const t2 = projectedTexts[c2 + i]!
        const t3 = projectedTexts[c3 + i]!
        a0 += x * t0
        a1 += x * t1
        a2 += x * t2
        a3 += x * t3
        b0 += y * t0
        b1 += y * t1
        b2 += y * t2
        b3 += y * t3
      }
      best0 = Math.max(best0, a0, b0)
      best1 = Math.max(best1, a1, b1)
      best2 = Math.max(best2, a2, b2)
      best3 = Math.max(best3, a3, b3)
    }
    row[text] = best0
    if (text < lastText) row[text + 1] = best1
    if (text + 1 < lastText) row[text + 2] = best2
    if (text + 2 < lastText) row[text + 3] = best3
  }
}
