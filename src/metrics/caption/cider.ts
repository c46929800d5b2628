/**
 * CIDEr-D and CIDEr (Vedantam et al. 2015, sections 3 and 4): similarity of tf-idf vectors of n-grams, n = 1…4. The document
 * frequencies are those of the references that are scored, so a score depends on the whole set and a set of one image scores 0.
 *
 * Sources: CIDEr-D, which the COCO caption evaluation reports as "CIDEr": `pycocoevalcap/cider/cider_scorer.py`
 * (github.com/salaniz/pycocoevalcap, ad63453). Plain CIDEr: `pyciderevalcap/cider` (github.com/vrama91/cider): neither clipping
 * nor length penalty. Term frequencies are counts, not divided by the caption's length; both are then multiplied by 10.
 */
import type { Corpus } from './corpus.ts'
import { type Bags, maxOrder } from './ngrams.ts'
import { meanScores, type Scores } from './scores.ts'

export type CiderVariant = 'cider-d' | 'cider'

/** Width of the length penalty. */
const sigma = 6

/** In [0, 10]. */
export function cider(corpus: Corpus, variant: CiderVariant = 'cider-d'): Scores {
  const { firstReference, orders } = corpus
  const { candidates, references } = corpus.bags
  const idf = inverseFrequencies(corpus)
  /** Of each n-gram, tf-idf in the candidate; 0 between images. */
  const weights = new Float64Array(orders.length)
  const candidateNorms = norms(candidates, idf, orders)
  const referenceNorms = norms(references, idf, orders)
  const clip = variant === 'cider-d' ? Math.min : (weight: number) => weight

  const similarity = (image: number, reference: number) => {
    const products = new Float64Array(maxOrder)
    for (let i = references.starts[reference]!; i < references.starts[reference + 1]!; i++) {
      const id = references.ids[i]!
      if (weights[id] === 0) continue
      const weight = references.counts[i]! * idf[id]!
      products[orders[id]!]! += clip(weights[id]!, weight) * weight
    }
    let sum = 0
    for (let n = 0; n < maxOrder; n++) {
      const norm = candidateNorms[maxOrder * image + n]! * referenceNorms[maxOrder * reference + n]!
      sum += norm === 0 ? products[n]! : products[n]! / norm
    }
    if (variant === 'cider') return sum / maxOrder
    const delta = bigrams(candidates, image) - bigrams(references, reference)
    return (sum / maxOrder) * Math.exp(-(delta ** 2) / (2 * sigma ** 2))
  }

  const perImage = Array.from(candidates.lengths, (_, image) => {
    const [start, end] = [candidates.starts[image]!, candidates.starts[image + 1]!]
    for (let i = start; i < end; i++) weights[candidates.ids[i]!] = candidates.counts[i]! * idf[candidates.ids[i]!]!
    const [first, last] = [firstReference[image]!, firstReference[image + 1]!]
    let sum = 0
    for (let reference = first; reference < last; reference++) sum += similarity(image, reference)
    for (let i = start; i < end; i++) weights[candidates.ids[i]!] = 0
    return (10 * sum) / (last - first)
  })
  return meanScores(perImage, corpus.parts)
}

/** (N) ln(images) - ln(images with the n-gram in a reference); an n-gram of no reference counts as of one. */
function inverseFrequencies({ bags: { references }, firstReference, orders }: Corpus): Float64Array {
  const images = firstReference.length - 1
  const frequency = new Int32Array(orders.length)
  const lastImage = new Int32Array(orders.length).fill(-1)
  for (let image = 0; image < images; image++) {
    const end = references.starts[firstReference[image + 1]!]!
    for (let i = references.starts[firstReference[image]!]!; i < end; i++) {
      const id = references.ids[i]!
      if (lastImage[id] === image) continue
      lastImage[id] = image
      frequency[id]!++
    }
  }
  return Float64Array.from(frequency, (count) => Math.log(images) - Math.log(Math.max(1, count)))
}

/** (captions, 4) Euclidean lengths of the tf-idf vectors, one for each n. */
function norms({ ids, counts, starts, lengths }: Bags, idf: Float64Array, orders: Uint8Array): Float64Array {
  const squares = new Float64Array(maxOrder * lengths.length)
  for (let caption = 0; caption < lengths.length; caption++) {
    for (let i = starts[caption]!; i < starts[caption + 1]!; i++) {
      squares[maxOrder * caption + orders[ids[i]!]!]! += (counts[i]! * idf[ids[i]!]!) ** 2
    }
  }
  return squares.map(Math.sqrt)
}

/** What the official scorer takes for the length of a caption. */
function bigrams({ lengths }: Bags, caption: number): number {
  return Math.max(0, lengths[caption]! - 1)
}
