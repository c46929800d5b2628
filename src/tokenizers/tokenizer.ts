/** Text ↔ token ids, as the checkpoint's own tokenizer.json says. The algorithms are @huggingface/tokenizers'. */
import { Tokenizer } from '@huggingface/tokenizers'
import { CheckpointError } from '../errors.ts'

export interface TextTokenizer {
  /** Ids are smaller than this. A model may have more rows: padding of its embedding that no text uses. */
  readonly vocabSize: number
  /** Ids of `text`, with the special tokens that the file's post-processor adds: OPT a leading `</s>` (2), T5 a trailing one (1). */
  encode(text: string): number[]
  /** Text of `ids`. Ids that the tokenizer does not have are left out, as in Hugging Face's fast tokenizers. */
  decode(ids: readonly number[], options?: DecodeOptions): string
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
  return {
    vocabSize,
    encode: (text) => tokenizer.encode(text).ids,
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined)
      return known.length === 0 ? '' : tokenizer.decode(known, { skip_special_tokens: skipSpecialTokens })
    },
  }
}

/** What is used of the library's class, whose published types do not resolve under Node's module rules. */
interface LibraryTokenizer {
  encode(text: string): { ids: number[] }
  decode(ids: readonly number[], options: { skip_special_tokens: boolean }): string
  id_to_token(id: number): string | undefined
  get_vocab(): Map<string, number>
}

function parse(tokenizerJson: unknown, tokenizerConfig: unknown): LibraryTokenizer {
  if (!isObject(tokenizerJson))
    throw new CheckpointError(`tokenizer.json: expected an object, found ${kind(tokenizerJson)}`)
  if (!isObject(tokenizerConfig)) {
    throw new CheckpointError(`tokenizer_config.json: expected an object, found ${kind(tokenizerConfig)}`)
  }
  try {
    return new Tokenizer({ added_tokens: [], ...tokenizerJson }, tokenizerConfig)
  } catch (error) {
    const { message } = error as Error
    throw new CheckpointError(`tokenizer.json: not a tokenizer of the Hugging Face format: ${message}`, {
      cause: error,
    })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
