/** The best few of very many scores, without sorting or copying the many. */

/** The best offers so far, best first; of equal scores the one offered first stays first, as torch.topk gives them. */
export interface Top {
  /** float32; only the first `size` count. Its length is the most that are kept. */
  readonly scores: Float32Array
  readonly indices: Int32Array
  size: number
}

/** An empty list that keeps the best `limit` offers. */
export function emptyTop(limit: number): Top {
  return { scores: new Float32Array(limit), indices: new Int32Array(limit), size: 0 }
}

/** Offers values[i] + added (in float32) under the index firstIndex + i, for every i. */
export function offerAll(top: Top, values: Float32Array, added: number, firstIndex: number): void {
  const last = top.scores.length - 1
  let bar = top.size > last ? top.scores[last]! : Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const score = Math.fround(values[i]! + added)
    if (top.size > last && !(score > bar)) continue
    insert(top, score, firstIndex + i)
    bar = top.scores[last]!
  }
}

/** Puts one offer in its place behind the scores that are at least as good; the worst one drops out of a full list. */
function insert(top: Top, score: number, index: number): void {
  const { scores, indices } = top
  let place = Math.min(top.size, scores.length - 1)
  for (; place > 0 && scores[place - 1]! < score; place--) {
    scores[place] = scores[place - 1]!
    indices[place] = indices[place - 1]!
  }
  scores[place] = score
  indices[place] = index
  top.size = Math.min(top.size + 1, scores.length)
}
