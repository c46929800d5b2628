/** The words of the world, and the tokenizers that know no others. */
import { byteCharacters, byteLevelTokenizer } from '../src/tokenizers/byte-level.ts'
import { specialToken } from '../src/tokenizers/tokenizer-json.ts'
import { drawText, wordsOf } from './texts.ts'

/** Texts that are looked through for words: every word has come in the first 300 of them. */
const looked = 3000

/** Words and marks of punctuation, in the order of the alphabet. */
export function wordsOfTheWorld(): string[] {
  const words = new Set<string>()
  for (let i = 0; i < looked; i++) for (const word of wordsOf(drawText(0, i))) words.add(word)
  return [...words].sort()
}

/** vocab.txt of the Q-Former's tokenizer, a BERT's. */
export function vocabTxt(): string {
  const words = new Set(wordsOfTheWorld().map((word) => word.toLowerCase()))
  return `${['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '[DEC]', ...[...words].sort()].join('\n')}\n`
}

/** Ids as in OPT. */
export const languageTokens = { bos: 2, pad: 1, newline: 4 } as const

/** tokenizer.json of the language model, like OPT's: whole words, each with its leading space or without. */
export function languageTokenizer(): { readonly json: unknown; readonly size: number } {
  const special = ['<s>', '<pad>', '</s>', '<unk>'].map((content, id) => ({ ...specialToken(content), id }))
  const spelt = (text: string) => Array.from(new TextEncoder().encode(text), (byte) => byteCharacters[byte]).join('')
  const words = wordsOfTheWorld().flatMap((word) => [word, ` ${word}`])
  const tokens = [...special.map(({ content }) => content), spelt('\n'), ...words.map(spelt)]
  const json = byteLevelTokenizer({
    vocab: new Map(tokens.map((token, id) => [token, id])),
    merges: [],
    addedTokens: special,
    start: special[languageTokens.bos],
    unknown: special[3],
    wholeWords: true,
  })
  return { json, size: tokens.length }
}
