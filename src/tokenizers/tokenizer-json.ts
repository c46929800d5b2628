/** Parts of a tokenizer.json, the format of Hugging Face's tokenizers. */

/** Token → id. */
export type Vocabulary = ReadonlyMap<string, number>

/** A token that is looked for in a text before the text is cut into words, and how. */
export interface TokenRule {
  readonly content: string
  readonly single_word: boolean
  /** Takes the spaces on its left, or right, along. */
  readonly lstrip: boolean
  readonly rstrip: boolean
  /** Looked for in the normalised text (lower-cased, …) rather than in the text as it is. */
  readonly normalized: boolean
  readonly special: boolean
}

export interface AddedToken extends TokenRule {
  readonly id: number
}

export function specialToken(content: string): TokenRule {
  return { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
}

/** A post-processor that puts special tokens around a text: `before` A `after`, and of two texts `before` A `after` B `after`. */
export function surroundWith(before: readonly AddedToken[], after: readonly AddedToken[]): unknown {
  const tokens = (of: readonly AddedToken[], type_id: number) =>
    of.map(({ content }) => ({ SpecialToken: { id: content, type_id } }))
  const text = (id: 'A' | 'B', type_id: number) => ({ Sequence: { id, type_id } })
  const single = [...tokens(before, 0), text('A', 0), ...tokens(after, 0)]
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, text('B', 1), ...tokens(after, 1)],
    special_tokens: Object.fromEntries(
      [...before, ...after].map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  }
}
