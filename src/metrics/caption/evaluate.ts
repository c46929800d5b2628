/** All caption metrics of the COCO evaluation that need no Java: tokenize once, count n-grams once, score. */
import { DataError } from '../../errors.ts'
import { type BleuCounts, bleu } from './bleu.ts'
import { cider } from './cider.ts'
import { type Corpus, createCorpus, type TokenizedImages } from './corpus.ts'
import { tokenize } from './ptb-tokenizer.ts'
import { rougeL } from './rouge.ts'
import type { Parts, Scores } from './scores.ts'

/** Captions of I images as people or a model wrote them. */
export interface CaptionedImages {
  /** (I) */
  readonly candidates: readonly string[]
  /** (I) At least one reference each. */
  readonly references: readonly (readonly string[])[]
  /** None unless told. */
  readonly parts?: Parts
}

/** The official names. Fractions: BLEU and ROUGE-L in [0, 1], CIDEr (which is CIDEr-D) in [0, 10]; papers print them times 100. */
export type CaptionMetric = 'Bleu_1' | 'Bleu_2' | 'Bleu_3' | 'Bleu_4' | 'ROUGE_L' | 'CIDEr'

export interface CaptionScores {
  readonly metrics: Readonly<Record<CaptionMetric, Scores>>
  readonly bleuTotals: BleuCounts
}

/**
 * BLEU-1 to 4, ROUGE-L and CIDEr-D, equal to pycocoevalcap's (ad63453) to 1e-9. The images are one set: CIDEr's document frequencies
 * and the tokenizer's looks past the end of a caption depend on all of them. DataError for no image, or one without a reference.
 */
export function evaluateCaptions(images: CaptionedImages): CaptionScores {
  return scoreCorpus(createCorpus(tokenizeImages(images)))
}

/** As the official evaluation: all references in one call of the tokenizer, all candidates in another. */
export function tokenizeImages({ candidates, references, parts = [] }: CaptionedImages): TokenizedImages {
  if (candidates.length === 0 || candidates.length !== references.length)
    throw new DataError(`expected a candidate for each of ${references.length} images, found ${candidates.length}`)
  const bare = references.findIndex((list) => list.length === 0)
  if (bare !== -1) throw new DataError(`image ${bare} of ${references.length}: expected at least one reference`)
  const tokenized = tokenize(references.flat())
  let next = 0
  return {
    candidates: tokenize(candidates),
    references: references.map((list) => list.map(() => tokenized[next++]!)),
    parts,
  }
}

export function scoreCorpus(corpus: Corpus): CaptionScores {
  const { corpus: bleus, perImage, parts, totals } = bleu(corpus)
  const bleuScores = (n: number): Scores => ({
    corpus: bleus[n - 1]!,
    perImage: perImage[n - 1]!,
    parts: parts.map((scores) => scores[n - 1]!),
  })
  return {
    metrics: {
      Bleu_1: bleuScores(1),
      Bleu_2: bleuScores(2),
      Bleu_3: bleuScores(3),
      Bleu_4: bleuScores(4),
      ROUGE_L: rougeL(corpus),
      CIDEr: cider(corpus),
    },
    bleuTotals: totals,
  }
}
