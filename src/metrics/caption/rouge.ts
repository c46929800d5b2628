/**
 * ROUGE-L (Lin 2004) as the COCO caption evaluation computes it: F-measure of the longest common subsequence with β = 1.2, the best
 * precision and the best recall over the references taken separately.
 *
 * Source: `pycocoevalcap/rouge/rouge.py` (github.com/salaniz/pycocoevalcap, ad63453).
 */
import type { Corpus } from './corpus.ts'
import { meanScores, type Scores } from './scores.ts'
import type { Sentences } from './words.ts'

const beta = 1.2

/** In [0, 1]. An empty caption has one, empty word: against an empty reference it scores 1. */
export function rougeL({ sentences: { candidates, references }, firstReference, parts }: Corpus): Scores {
  const perImage = Array.from({ length: firstReference.length - 1 }, (_, image) => {
    const candidate = sentence(candidates, image)
    let precision = 0
    let recall = 0
    for (let i = firstReference[image]!; i < firstReference[image + 1]!; i++) {
      const reference = sentence(references, i)
      const common = commonSubsequence(candidate, reference)
      precision = Math.max(precision, common / candidate.length)
      recall = Math.max(recall, common / reference.length)
    }
    if (precision === 0 || recall === 0) return 0
    return ((1 + beta ** 2) * precision * recall) / (recall + beta ** 2 * precision)
  })
  return meanScores(perImage, parts)
}

function sentence({ words, starts }: Sentences, i: number): Int32Array {
  return words.subarray(starts[i], starts[i + 1])
}

/** Length of the longest common subsequence, row by row of the usual table. */
export function commonSubsequence(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const row = new Int32Array(b.length + 1)
  for (let i = 0; i < a.length; i++) {
    let diagonal = 0
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!
      row[j] = a[i] === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]!)
      diagonal = above
    }
  }
  return row[b.length]!
}
