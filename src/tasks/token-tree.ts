/**
 * Which of the cached tokens each new token continues. The branches of an item (its beams) are leaves of a tree that only
 * grows: nothing in the cache is ever copied or reordered when a beam is dropped or doubled, only the mask changes.
 */
export interface TokenTree {
  /** Rows in the cache behind the prefix: one per branch and step so far. */
  readonly length: number
  /**
   * Adds one leaf per branch, each below a leaf of the step before (below the prefix in the first step).
   * parents: (items, branches). Returns what the new leaves may look at: (items, 1, branches, prefix + length), 0 or -∞.
   */
  grow(parents: Int32Array): Float32Array
}

/** visiblePrefix: (items, prefix), 1 where the item's prefix has a token and 0 where it is padding. */
export function tokenTree(items: number, prefix: number, visiblePrefix: Uint8Array): TokenTree {
  let length = 0
  /** For each leaf of the last step, (items, branches): the rows from the prefix down to it. */
  let paths: (readonly number[])[] = []
  return {
    get length() {
      return length
    },
    grow(parents) {
      const branches = parents.length / items
      const before = paths
      paths = Array.from(parents, (parent, at) => {
        const item = Math.floor(at / branches)
        return [...(before[item * branches + parent] ?? []), length + (at % branches)]
      })
      length += branches
      const keys = prefix + length
      const mask = new Float32Array(items * branches * keys).fill(Number.NEGATIVE_INFINITY)
      for (let at = 0; at < paths.length; at++) {
        const row = mask.subarray(at * keys, (at + 1) * keys)
        const visible = visiblePrefix.subarray(Math.floor(at / branches) * prefix)
        for (let key = 0; key < prefix; key++) if (visible[key]) row[key] = 0
        for (const leaf of paths[at] as readonly number[]) row[prefix + leaf] = 0
      }
      return mask
    },
  }
}
