/** Byte-level BPE (Radford et al. 2019), the tokenizer of GPT-2 and OPT: any text is bytes, bytes are joined by rank. */
import { type AddedToken, surroundWith, type Vocabulary } from './tokenizer-json.ts'

/** The character that stands for each byte in a vocabulary: printable ones for themselves, the others from U+0100 on. */
export const byteCharacters: readonly string[] = (() => {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(printable ? byte : next++)
  })
})()

export interface ByteLevelParts {
  /** Tokens are spelt in `byteCharacters`: `Ġcat` is ` cat`. */
  readonly vocab: Vocabulary
  /** Pairs of tokens that are joined, the first ones first. */
  readonly merges: readonly (readonly [left: string, right: string])[]
  readonly addedTokens: readonly AddedToken[]
  /** In front of every text, as OPT's `</s>`. Default: nothing, as GPT-2. */
  readonly start?: AddedToken | undefined
  /** Reads a text as if it began with a space. Default false. */
  readonly addPrefixSpace?: boolean
  /** Stands for bytes that the vocabulary lacks; a run of them is one token. Default: they are left out. */
  readonly unknown?: AddedToken | undefined
  /** A word of the vocabulary is taken whole, whatever the merges say. Default false. */
  readonly wholeWords?: boolean
}

/** The tokenizer.json. */
export function byteLevelTokenizer(parts: ByteLevelParts): unknown {
  const { vocab, merges, addedTokens, start, addPrefixSpace = false, unknown, wholeWords = false } = parts
  const defaults = { add_prefix_space: true, trim_offsets: true, use_regex: true }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens,
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', ...defaults, add_prefix_space: addPrefixSpace },
    post_processor:
      start === undefined ? { type: 'ByteLevel', ...defaults, trim_offsets: false } : surroundWith([start], []),
    decoder: { type: 'ByteLevel', ...defaults },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown?.content ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: unknown !== undefined,
      byte_fallback: false,
      ignore_merges: wholeWords,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  }
}
