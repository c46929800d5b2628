/** All caption metrics of the COCO evaluation that need no Java: tokenize once, count n-grams once, score. */
import { type BleuCounts, bleu } from './bleu.ts'
import { cider } from './cider.ts'
import { createCorpus, type TokenizedImages } from './corpus.ts'
import { tokenize } from './ptb-tokenizer.ts'
import { rougeL } from './rouge.ts'
import type { Scores } from './scores.ts'

/** Captions of I images as people or a model wrote them. */
export interface CaptionedImages {
  /** (I) */
  readonly candidates: readonly string[]
  /** (I) At least one reference each. */
  readonly references: readonly (readonly string[])[]
}

/** The official names. Fractions: BLEU and ROUGE-L in [0, 1], CIDEr (which is CIDEr-D) in [0, 10]; papers print them times 100. */
export type CaptionMetric = 'Bleu_1' | 'Bleu_2' | 'Bleu_3' | 'Bleu_4' | 'ROUGE_L' | 'CIDEr'

export interface CaptionScores {
  readonly metrics: Readonly<Record<CaptionMetric, Scores>>
  readonly bleuTotals: BleuCounts
}

export function evaluateCaptions(images: CaptionedImages): CaptionScores {
  return scoreTokenized(tokenizeImages(images))
}

/** As the official evaluation: all references in one call of the tokenizer, all candidates in another. */
export function tokenizeImages({ candidates, references }: CaptionedImages): TokenizedImages {
  const tokenized = tokenize(references.flat())
  let next = 0
  return { candidates: tokenize(candidates), references: references.map((list) => list.map(() => tokenized[next++]!)) }
}

export function scoreTokenized(images: TokenizedImages): CaptionScores {
  const corpus = createCorpus(images)
  const { corpus: bleus, perImage, totals } = bleu(corpus)
  const bleuScores = (n: number): Scores => ({ corpus: bleus[n - 1]!, perImage: perImage[n - 1]! })
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
