/**
 * Captions as bags of numbered n-grams, n = 1…4, so that the scores over a whole data set are loops over arrays of numbers.
 * `N` n-grams in all, `C` captions, `B` distinct n-grams summed over the captions.
 */
import { createPairTable } from './pair-table.ts'
import type { Sentences } from './words.ts'

/** The longest n-gram, as in BLEU-4 and CIDEr. */
export const maxOrder = 4

/** The bags of captions, one after another: that of caption c is at `starts[c]` to `starts[c + 1]`. */
export interface Bags {
  /** (B) The n-grams of each caption, each once. */
  readonly ids: Int32Array
  /** (B) How often each occurs in its caption. */
  readonly counts: Int32Array
  /** (C + 1) */
  readonly starts: Int32Array
  /** (C) In words. */
  readonly lengths: Int32Array
}

export interface Ngrams {
  /** The bags of captions. N-grams seen before, in other bags too, keep their numbers. */
  bags(captions: Sentences): Bags
  /** (N) How long each n-gram is, less one: 0 for a word, 3 for four words. */
  orders(): Uint8Array
}

export function createNgrams(): Ngrams {
  const pairs = createPairTable()
  const orders: number[] = []
  /** Where each n-gram was last put into a bag. */
  const places: number[] = []

  /** The n-gram of one word more than `shorter` (-1: of this word alone). */
  const longer = (shorter: number, word: number) => {
    const ngram = pairs.number(shorter, word)
    if (ngram === orders.length) {
      orders.push(shorter === -1 ? 0 : orders[shorter]! + 1)
      places.push(-1)
    }
    return ngram
  }

  return {
    bags({ words, starts: firstWord }) {
      const captions = firstWord.length - 1
      const ids = new Int32Array(maxOrder * words.length)
      const counts = new Int32Array(ids.length)
      const starts = new Int32Array(captions + 1)
      let size = 0
      for (let caption = 0; caption < captions; caption++) {
        const start = size
        const end = firstWord[caption + 1]!
        for (let first = firstWord[caption]!; first < end; first++) {
          const after = Math.min(first + maxOrder, end)
          for (let last = first, ngram = -1; last < after; last++) {
            ngram = longer(ngram, words[last]!)
            const place = places[ngram]!
            if (place >= start && place < size && ids[place] === ngram) {
              counts[place]!++
            } else {
              places[ngram] = size
              ids[size] = ngram
              counts[size++] = 1
            }
          }
        }
        starts[caption + 1] = size
      }
      const lengths = firstWord.subarray(1).map((end, caption) => end - firstWord[caption]!)
      return { ids: ids.slice(0, size), counts: counts.slice(0, size), starts, lengths }
    },
    orders: () => Uint8Array.from(orders),
  }
}
