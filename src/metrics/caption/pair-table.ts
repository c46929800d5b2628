/** Numbers for pairs of small integers: a hash table without an object per entry, for the tens of millions of n-grams of a data set. */
export interface PairTable {
  /** The number of a pair: 0 for the first that was asked for, then 1, 2, … Both parts in [-1, 2³¹ - 1). */
  number(a: number, b: number): number
}

/** Open addressing with linear probing, at most half full. */
export function createPairTable(capacity = 1 << 16): PairTable {
  let slots = new Int32Array(3 * capacity) // a, b, number + 1 (0: free)
  let mask = capacity - 1
  let size = 0

  const find = (a: number, b: number) => {
    let slot = hash(a, b) & mask
    while (slots[3 * slot + 2] !== 0 && (slots[3 * slot] !== a || slots[3 * slot + 1] !== b)) slot = (slot + 1) & mask
    return 3 * slot
  }
  const grow = () => {
    const old = slots
    slots = new Int32Array(2 * old.length)
    mask = 2 * mask + 1
    for (let i = 0; i < old.length; i += 3) {
      if (old[i + 2] === 0) continue
      const at = find(old[i]!, old[i + 1]!)
      slots[at] = old[i]!
      slots[at + 1] = old[i + 1]!
      slots[at + 2] = old[i + 2]!
    }
  }

  return {
    number(a, b) {
      const at = find(a, b)
      if (slots[at + 2] !== 0) return slots[at + 2]! - 1
      slots[at] = a
      slots[at + 1] = b
      slots[at + 2] = ++size
      if (2 * size > mask) grow()
      return size - 1
    },
  }
}

/** Every bit of both parts in every bit of the result. */
function hash(a: number, b: number): number {
  const mixed = Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35) ^ (mixed >>> 13)
}
