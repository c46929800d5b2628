/**
 * Random numbers as a function of what they are for: no state to carry, so neither the order of the work nor the size
 * of the batch can change a sample. Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3" (SC 2011), the counter-based generator that PyTorch, JAX and NumPy offer too.
 */

const multipliers = [0xd2511f53n, 0xcd9e8d57n] as const
const keyIncrements = [0x9e3779b9, 0xbb67ae85] as const

/** Uniform in [0, 1), a multiple of 2^-53: the draw for new token number `step` of sequence number `sequence`. */
export function uniform(seed: number, sequence: number, step: number): number {
  const [a, b] = philox([step, sequence, 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)])
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53
}

type Words4 = readonly [number, number, number, number]

/** Ten rounds of Philox4x32; all words are unsigned 32-bit integers. */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < 10; round++) {
    const first = BigInt(c0) * multipliers[0]
    const second = BigInt(c2) * multipliers[1]
    c0 = (highWord(second) ^ c1 ^ k0) >>> 0
    c1 = lowWord(second)
    c2 = (highWord(first) ^ c3 ^ k1) >>> 0
    c3 = lowWord(first)
    k0 = (k0 + keyIncrements[0]) >>> 0
    k1 = (k1 + keyIncrements[1]) >>> 0
  }
  return [c0, c1, c2, c3]
}

const highWord = (product: bigint): number => Number(product >> 32n)
const lowWord = (product: bigint): number => Number(product & 0xffffffffn)
