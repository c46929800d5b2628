/**
 * BLEU-1…4 (Papineni et al. 2002) as the COCO caption evaluation computes it: clipped n-gram precision against all references of an
 * image, geometric mean over n, brevity penalty with the closest reference length.
 *
 * Source: `pycocoevalcap/bleu/bleu_scorer.py` (github.com/salaniz/pycocoevalcap, ad63453), `compute_score(option='closest')`, as
 * its outputs show it: a precision is (correct + 1e-15) / (guesses + 1e-9), so nothing is ever divided by zero.
 */
import type { Corpus } from './corpus.ts'
import { maxOrder } from './ngrams.ts'

/** Counts that BLEU is made of; those of a corpus are the sums of its images'. */
export interface BleuCounts {
  /** N-grams of the candidate that a reference has too, n = 1…4. */
  readonly correct: readonly number[]
  /** N-grams of the candidate. */
  readonly guess: readonly number[]
  /** Words of the candidate. */
  readonly testlen: number
  /** Words of the reference whose length is closest, of the shorter one where two are. */
  readonly reflen: number
}

export interface BleuScores {
  /** BLEU-1…4 from the summed counts: not the mean of the images. */
  readonly corpus: readonly number[]
  /** Of each n, one score for each image. */
  readonly perImage: readonly (readonly number[])[]
  /** Of each part of the images: BLEU-1…4 from its summed counts. */
  readonly parts: readonly (readonly number[])[]
  readonly totals: BleuCounts
}

const orders = Array.from({ length: maxOrder }, (_, i) => i)

export function bleu(corpus: Corpus): BleuScores {
  const counts = countImages(corpus)
  const scores = counts.map(bleuOfCounts)
  const totals = sum(counts)
  return {
    corpus: bleuOfCounts(totals),
    perImage: orders.map((n) => scores.map((score) => score[n]!)),
    parts: corpus.parts.map((places) => bleuOfCounts(sum(places.map((image) => counts[image]!)))),
    totals,
  }
}

/** BLEU-1…4 in [0, 1]. */
export function bleuOfCounts({ correct, guess, testlen, reflen }: BleuCounts): number[] {
  const ratio = (testlen + 1e-15) / (reflen + 1e-9)
  const brevity = ratio < 1 ? Math.exp(1 - 1 / ratio) : 1
  let product = 1
  return orders.map((n) => {
    product *= (correct[n]! + 1e-15) / (guess[n]! + 1e-9)
    return product ** (1 / (n + 1)) * brevity
  })
}

function countImages({ bags: { candidates, references }, firstReference, orders: orderOf }: Corpus): BleuCounts[] {
  /** Of each n-gram, the most that one reference of the image has; 0 between images. */
  const most = new Int32Array(orderOf.length)
  return Array.from(candidates.lengths, (testlen, image) => {
    const start = references.starts[firstReference[image]!]!
    const end = references.starts[firstReference[image + 1]!]!
    for (let i = start; i < end; i++) {
      const id = references.ids[i]!
      most[id] = Math.max(most[id]!, references.counts[i]!)
    }
    const correct = orders.map(() => 0)
    for (let i = candidates.starts[image]!; i < candidates.starts[image + 1]!; i++) {
      const id = candidates.ids[i]!
      correct[orderOf[id]!]! += Math.min(candidates.counts[i]!, most[id]!)
    }
    for (let i = start; i < end; i++) most[references.ids[i]!] = 0
    return {
      correct,
      guess: orders.map((n) => Math.max(0, testlen - n)),
      testlen,
      reflen: closest(references.lengths.subarray(firstReference[image], firstReference[image + 1]), testlen),
    }
  })
}

function closest(lengths: Int32Array, target: number): number {
  return lengths.reduce((best, length) => {
    const nearer = Math.abs(length - target) - Math.abs(best - target)
    return nearer < 0 || (nearer === 0 && length < best) ? length : best
  })
}

function sum(counts: readonly BleuCounts[]): BleuCounts {
  const total = (of: (count: BleuCounts) => number) => counts.reduce((so, count) => so + of(count), 0)
  return {
    correct: orders.map((n) => total((count) => count.correct[n]!)),
    guess: orders.map((n) => total((count) => count.guess[n]!)),
    testlen: total((count) => count.testlen),
    reflen: total((count) => count.reflen),
  }
}
