import { byteCharacters, byteLevelTokenizer } from '../src/tokenizers/byte-level.ts'
import { specialToken } from '../src/tokenizers/tokenizer-json.ts'

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
