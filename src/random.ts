/** Random numbers that depend on a text only: a seed and what they are for. */

/**
 * Uniform numbers in [0, 1): sfc32 (Doty-Humphrey, PractRand) started from three hashes of the text (FNV-1a).
 * Its 128 bits of state keep thousands of streams apart; 32 would make some of them overlap.
 */
export function randomFor(text: string): () => number {
  let [a, b, c] = [0x811c9dc5, 0x9e3779b9, 0x7f4a7c15].map((start) => hash(text, start)) as [number, number, number]
  let counter = 1
  const next = () => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let warmUp = 0; warmUp < 15; warmUp++) next()
  return next
}

function hash(text: string, start: number): number {
  let state = start
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state
}
