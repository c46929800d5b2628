/** Text ↔ token ids, as the checkpoint's own tokenizer.json says. The algorithms are @huggingface/tokenizers'. */
import { Tokenizer } from '@huggingface/tokenizers'
import { CheckpointError, ConfigError } from '../errors.ts'
import { expectObject } from './json.ts'

export interface TextTokenizer {
  /** Ids are smaller than this. A model may have more rows: padding of its embedding that no text uses. */
  readonly vocabSize: number
  /** Ids of `text`, with the special tokens that the file's post-processor adds: OPT a leading `</s>` (2), T5 a trailing one (1). */
  encode(text: string, options?: EncodeOptions): number[]
  /** Text of `ids`. Ids that the tokenizer does not have are left out, as in Hugging Face's fast tokenizers. */
  decode(ids: readonly number[], options?: DecodeOptions): string
  /** The id of a token as the vocabulary spells it, such as `[CLS]`, or undefined. */
  tokenId(token: string): number | undefined
}

export interface EncodeOptions {
  /** At most so many ids: the end of a longer text is cut off, the special tokens around it stay. Default: no limit. */
  readonly maxLength?: number
}

export interface DecodeOptions {
  /** Leave out tokens marked as special (start, end, padding, unknown). Default false. */
  readonly skipSpecialTokens?: boolean
}

/**
 * tokenizerJson, tokenizerConfig: the parsed tokenizer.json and tokenizer_config.json ({} when there is none).
 * Throws a CheckpointError when they do not describe a tokenizer.
 */
export function createTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown): TextTokenizer {
  const tokenizer = parse(tokenizerJson, tokenizerConfig)
  let vocabSize = 0
  for (const id of tokenizer.get_vocab().values()) vocabSize = Math.max(vocabSize, id + 1)
  const closing = closingTokens(tokenizer)
  return {
    vocabSize,
    encode: (text, { maxLength } = {}) => {
      const { ids } = tokenizer.encode(text)
      if (maxLength === undefined || ids.length <= maxLength) return ids
      const special = tokenizer.encode('').ids.length
      if (!(maxLength >= special))
        throw new ConfigError(
          `maxLength: expected at least ${special}, which the special tokens need, found ${maxLength}`,
        )
      return [...ids.slice(0, maxLength - closing), ...ids.slice(ids.length - closing)]
    },
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined)
      return known.length === 0 ? '' : tokenizer.decode(known, { skip_special_tokens: skipSpecialTokens })
    },
    tokenId: (token) => tokenizer.token_to_id(token),
  }
}

/** How many special tokens the post-processor puts behind a text. */
function closingTokens({ post_processor: postProcess }: LibraryTokenizer): number {
  const text = ''
  const around = postProcess === null ? [text] : postProcess([text]).tokens
  return around.length - 1 - around.indexOf(text)
}

/** What is used of the library's class, whose published types do not resolve under Node's module rules. */
interface LibraryTokenizer {
  encode(text: string): { ids: number[] }
  decode(ids: readonly number[], options: { skip_special_tokens: boolean }): string
  id_to_token(id: number): string | undefined
  token_to_id(token: string): number | undefined
  readonly post_processor: ((tokens: readonly string[]) => { tokens: string[] }) | null
  get_vocab(): Map<string, number>
}

function parse(tokenizerJson: unknown, tokenizerConfig: unknown): LibraryTokenizer {
  const json = expectObject(tokenizerJson, 'tokenizer.json')
  const config = expectObject(tokenizerConfig, 'tokenizer_config.json')
  try {
    return new Tokenizer({ added_tokens: [], ...json }, config)
  } catch (error) {
    const { message } = error as Error
    throw new CheckpointError(`tokenizer.json: not a tokenizer of the Hugging Face format: ${message}`, {
      cause: error,
    })
  }
}
