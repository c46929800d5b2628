/** Seeded damage for the fuzz tests. */

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32, Tommy Ettinger, public domain). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Pick = <T>(items: readonly T[]) => T
export const picker =
  (next: () => number): Pick =>
  (items) =>
    items[Math.floor(next() * items.length)]!

/** Flips, inserts, deletes, overwrites or repeats bytes at random places; `likely` are those that the format is made of. */
export function damageBytes(bytes: Uint8Array, next: () => number, likely: readonly number[]): Uint8Array {
  const pick = picker(next)
  let result = [...bytes]
  for (let count = 1 + Math.floor(next() * 3); count > 0; count--) {
    const at = Math.floor(next() * result.length)
    const byte = pick([...likely, 0, 0x7f, 0x80, 0xff, Math.floor(next() * 256)])
    const piece = result.slice(at, at + Math.floor(next() * 40))
    result = pick<() => number[]>([
      () => result.with(at, (result[at] ?? 0) ^ (1 << Math.floor(next() * 8))),
      () => result.with(at, byte),
      () => result.toSpliced(at, 0, byte),
      () => result.toSpliced(at, piece.length),
      () => result.toSpliced(at, 0, ...piece),
      () => result.slice(0, at),
    ])()
    if (result.length === 0) break
  }
  return Uint8Array.from(result)
}
