/**
 * The tokenizer of the Querying Transformer: bert-base-uncased's, with one more token, [DEC], that begins a generated text.
 *
 * Source: LAVIS, blip2.py, `init_tokenizer`.
 */
import { CheckpointError } from '../errors.ts'
import type { TextTokenizer } from './tokenizer.ts'

export interface QformerTokenizer {
  /** [CLS], the words and [SEP], at most `maxLength` ids: of a longer text the last words go. No padding. */
  encode(text: string, maxLength: number): number[]
  /** Text of `ids`, without special tokens. */
  decode(ids: readonly number[]): string
  readonly padId: number
  readonly clsId: number
  readonly sepId: number
  readonly decId: number
}

/**
 * `vocabSize`: rows of the model's word embedding. A tokenizer without [DEC] gets it as the next id, for which there must be a row.
 * Throws CheckpointError for a tokenizer that is not a BERT's, or has more tokens than the model.
 */
export function qformerTokenizer(tokenizer: TextTokenizer, vocabSize: number): QformerTokenizer {
  const idOf = (token: string): number => {
    const id = tokenizer.tokenId(token)
    if (id === undefined) throw unfit(`no ${token} among its ${tokenizer.vocabSize} tokens`)
    return id
  }
  const inside = (id: number, what: string): number => {
    if (id >= vocabSize) throw unfit(`${what} has id ${id}, and the model ${vocabSize} tokens`)
    return id
  }
  const [padId, clsId, sepId] = [idOf('[PAD]'), idOf('[CLS]'), idOf('[SEP]')]
  const decId = inside(tokenizer.tokenId('[DEC]') ?? tokenizer.vocabSize, '[DEC]')
  const around = tokenizer.encode('').join(', ')
  if (around !== `${clsId}, ${sepId}`)
    throw unfit(`expected [CLS] and [SEP] (${clsId}, ${sepId}) around a text, found (${around})`)
  return {
    padId,
    clsId,
    sepId,
    decId,
    encode: (text, maxLength) => {
      const ids = tokenizer.encode(text, { maxLength })
      for (const id of ids) inside(id, `a token of ${JSON.stringify(text)}`)
      return ids
    },
    decode: (ids) => tokenizer.decode(ids, { skipSpecialTokens: true }),
  }
}

function unfit(found: string): CheckpointError {
  return new CheckpointError(`tokenizer: ${found}; the Q-Former needs the tokenizer of bert-base-uncased`)
}
