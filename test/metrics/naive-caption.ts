/** The caption scores written down as the definitions read, with texts for n-grams; for short captions without odd blanks. */
import type { BleuCounts } from '../../src/metrics/caption/bleu.ts'
import type { TokenizedImages } from '../../src/metrics/caption/corpus.ts'

const split = (caption: string) => caption.split(' ').filter((word) => word !== '')

/** N-grams of n words with how often they occur. */
function ngrams(caption: string, n: number): Map<string, number> {
  const words = split(caption)
  const counts = new Map<string, number>()
  for (let i = 0; i + n <= words.length; i++) {
    const ngram = words.slice(i, i + n).join(' ')
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1)
  }
  return counts
}

export function slowBleuCounts(candidate: string, references: readonly string[]): BleuCounts {
  const testlen = split(candidate).length
  const lengths = references.map((reference) => split(reference).length)
  lengths.sort((a, b) => Math.abs(a - testlen) - Math.abs(b - testlen) || a - b)
  const correct = [1, 2, 3, 4].map((n) => {
    let sum = 0
    for (const [ngram, count] of ngrams(candidate, n))
      sum += Math.min(count, Math.max(...references.map((reference) => ngrams(reference, n).get(ngram) ?? 0)))
    return sum
  })
  return { correct, guess: [0, 1, 2, 3].map((less) => Math.max(0, testlen - less)), testlen, reflen: lengths[0]! }
}

/** CIDEr-D of each image. */
export function slowCider({ candidates, references }: TokenizedImages): number[] {
  const weight = (n: number) => {
    const seen = references.map((list) => new Set(list.flatMap((reference) => [...ngrams(reference, n).keys()])))
    return (ngram: string) => Math.log(references.length / Math.max(1, seen.filter((set) => set.has(ngram)).length))
  }
  const weights = [1, 2, 3, 4].map(weight)
  const vector = (caption: string, n: number) =>
    new Map([...ngrams(caption, n)].map(([ngram, count]) => [ngram, count * weights[n - 1]!(ngram)]))
  const length = (v: Map<string, number>) => Math.sqrt([...v.values()].reduce((sum, x) => sum + x * x, 0))
  const pairs = (caption: string) => Math.max(0, split(caption).length - 1)

  const similarity = (candidate: string, reference: string) => {
    let sum = 0
    for (const n of [1, 2, 3, 4]) {
      const [h, r] = [vector(candidate, n), vector(reference, n)]
      const product = [...h].reduce((so, [ngram, x]) => so + Math.min(x, r.get(ngram) ?? 0) * (r.get(ngram) ?? 0), 0)
      if (length(h) > 0 && length(r) > 0) sum += product / (length(h) * length(r))
    }
    return (sum / 4) * Math.exp(-((pairs(candidate) - pairs(reference)) ** 2) / (2 * 6 ** 2))
  }
  return candidates.map((candidate, i) => {
    const list = references[i]!
    return (10 * list.reduce((sum, reference) => sum + similarity(candidate, reference), 0)) / list.length
  })
}

export function slowCommonSubsequence(a: string, b: string): number {
  if (a === '' || b === '') return 0
  if (a[0] === b[0]) return 1 + slowCommonSubsequence(a.slice(1), b.slice(1))
  return Math.max(slowCommonSubsequence(a.slice(1), b), slowCommonSubsequence(a, b.slice(1)))
}
