import { type Bags, createNgrams } from './ngrams.ts'
import type { Parts } from './scores.ts'
import { createVocabulary, type Sentences } from './words.ts'

/** Tokenized captions (words with one blank between) of I images. */
export interface TokenizedImages {
  /** (I) The caption to score. */
  readonly candidates: readonly string[]
  /** (I) At least one reference each. */
  readonly references: readonly (readonly string[])[]
  /** None unless told. */
  readonly parts?: Parts
}

/** The same in the forms that the scores read. All references follow one another, image after image. */
export interface Corpus {
  /** (I + 1) The references of image i are `firstReference[i]` to `firstReference[i + 1]`. */
  readonly firstReference: Int32Array
  /** Split at blanks, for ROUGE-L. */
  readonly sentences: { readonly candidates: Sentences; readonly references: Sentences }
  /** Split at white space and counted, for BLEU and CIDEr. */
  readonly bags: { readonly candidates: Bags; readonly references: Bags }
  /** (N) Length of each n-gram less one. */
  readonly orders: Uint8Array
  readonly parts: Parts
}

export function createCorpus(images: TokenizedImages): Corpus {
  const firstReference = new Int32Array(images.references.length + 1)
  images.references.forEach((list, image) => {
    firstReference[image + 1] = firstReference[image]! + list.length
  })
  const vocabulary = createVocabulary()
  const references = vocabulary.splitAtBlanks(images.references.flat())
  const candidates = vocabulary.splitAtBlanks(images.candidates)
  const ngrams = createNgrams()
  const bags = {
    references: ngrams.bags(vocabulary.splitAtWhitespace(references)),
    candidates: ngrams.bags(vocabulary.splitAtWhitespace(candidates)),
  }
  return {
    firstReference,
    sentences: { candidates, references },
    bags,
    orders: ngrams.orders(),
    parts: images.parts ?? [],
  }
}
