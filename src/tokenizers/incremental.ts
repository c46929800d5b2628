import type { TextTokenizer } from './tokenizer.ts'

/** Text of tokens that arrive one at a time. */
export interface IncrementalDecoder {
  /** The text that has become certain by this token: often one word, sometimes nothing. */
  push(id: number): string
  /** What was still held back at the end of the tokens. */
  end(): string
}

/**
 * A tail that the next token may change: bytes of an unfinished UTF-8 character (decoded as U+FFFD), or the beginning
 * of what the tokenizer's clean-up rewrites (` .` → `.`, ` ' ` → `'`, ` n't` → `n't`, ` 've` → `'ve`).
 */
const unsettled = /(?:\uFFFD+| ?'| (?:'v|'r|n|n')?)$/

/** Pieces that join to `decode(ids, { skipSpecialTokens: true })` and never hold half a character. */
export function incrementalDecoder(tokenizer: TextTokenizer): IncrementalDecoder {
  const ids: number[] = []
  let printed = 0
  const print = (settled: (text: string) => number): string => {
    const text = tokenizer.decode(ids, { skipSpecialTokens: true })
    const piece = text.slice(printed, settled(text))
    printed += piece.length
    return piece
  }
  return {
    push(id) {
      ids.push(id)
      return print((text) => unsettled.exec(text)?.index ?? text.length)
    },
    end: () => print((text) => text.length),
  }
}
