/**
 * Tokenized captions as numbered words. The official scorers cut a caption in two ways, which differ on empty captions, double
 * blanks and tokens such as `1\u00a01/2`: ROUGE-L at every blank, BLEU and CIDEr at any run of what Python calls white space.
 */
import { split } from '../python.ts'

/** Captions one after another: the words of caption c are at `starts[c]` to `starts[c + 1]`. */
export interface Sentences {
  readonly words: Int32Array
  /** (captions + 1) */
  readonly starts: Int32Array
}

export interface Vocabulary {
  /** Python's `split(" ")`: an empty caption has one empty word. */
  splitAtBlanks(captions: readonly string[]): Sentences
  /** Python's `split()`, from what the function above returned: no empty words. */
  splitAtWhitespace(sentences: Sentences): Sentences
}

export function createVocabulary(): Vocabulary {
  const numbers = new Map<string, number>()
  /** Of each word, the words that it consists of; itself alone but for odd ones. */
  const parts: (readonly number[])[] = []

  const number = (word: string): number => {
    const known = numbers.get(word)
    if (known !== undefined) return known
    const added = numbers.size
    numbers.set(word, added)
    parts[added] = split(word).map((piece) => (piece === word ? added : number(piece)))
    return added
  }

  return {
    splitAtBlanks(captions) {
      const starts = new Int32Array(captions.length + 1)
      const words: number[] = []
      captions.forEach((caption, i) => {
        for (const word of caption.split(' ')) words.push(number(word))
        starts[i + 1] = words.length
      })
      return { words: Int32Array.from(words), starts }
    },
    splitAtWhitespace(sentences) {
      const starts = new Int32Array(sentences.starts.length)
      const words: number[] = []
      for (let i = 0; i + 1 < starts.length; i++) {
        for (let at = sentences.starts[i]!; at < sentences.starts[i + 1]!; at++)
          words.push(...parts[sentences.words[at]!]!)
        starts[i + 1] = words.length
      }
      return { words: Int32Array.from(words), starts }
    },
  }
}
