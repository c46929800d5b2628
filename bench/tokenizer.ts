import { byteCharacters, byteLevelTokenizer } from '../src/tokenizers/byte-level.ts'
import { specialToken } from '../src/tokenizers/tokenizer-json.ts'

/** vocab.txt of a BERT of so many tokens: letters, then numbered words. */
export function benchVocabulary(size: number): string {
  const letters = Array.from('abcdefghijklmnopqrstuvwxyz')
  const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...letters, ...letters.map((letter) => `##${letter}`)]
  while (words.length < size) words.push(`w${words.length}`)
  return words.join('\n')
}

/** A tokenizer of as many tokens as a published one, whose words mean nothing: bytes, then numbered words. */
export function benchTokenizer(size: number): unknown {
  const special = ['<s>', '<pad>', '</s>'].map((content, id) => ({ id, ...specialToken(content) }))
  const tokens = [...special.map(({ content }) => content), ...byteCharacters]
  while (tokens.length < size) tokens.push(`Ġw${tokens.length}`)
  return byteLevelTokenizer({
    vocab: new Map(tokens.map((token, id) => [token, id])),
    merges: [],
    addedTokens: special,
    start: special[2],
  })
}
