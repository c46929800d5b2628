/** Tokenizers made by hand, in the shapes of the published ones: OPT's byte-level BPE, T5's Unigram, BERT's WordPiece. */
import { byteCharacters, byteLevelTokenizer } from '../../src/tokenizers/byte-level.ts'
import { specialToken } from '../../src/tokenizers/tokenizer-json.ts'

const specials = ['<s>', '<pad>', '</s>', '<unk>'].map((content, id) => ({ id, ...specialToken(content) }))

export const optMerges = ['c a', 'ca t', 'Ġ cat', 'Ġ a', 'd o', 'do g', 'Ġ dog', 'Ġ .', 'Ġ n', "' t"]

/** Ids: 4 specials, 256 bytes (byte b is 4 + b), then one for each merge in order (260 = `ca`, 261 = `cat`, …). */
export const optVocab = [
  ...specials.map(({ content }) => content),
  ...byteCharacters,
  ...optMerges.map((pair) => pair.replace(' ', '')),
]

/** With `<image>` behind the vocabulary, as id 270. */
export const optLike = byteLevelTokenizer({
  vocab: new Map(optVocab.map((token, id) => [token, id])),
  merges: optMerges.map((pair) => pair.split(' ') as [string, string]),
  addedTokens: [...specials, { id: 270, ...specialToken('<image>') }],
  start: specials[2],
}) as { decoder: object }

/** Ids in the order of `vocab`; scores are log-probabilities, so `▁cats` (-9) loses to `▁cat` + `s` (-3 + -4). */
export const t5Like = {
  version: '1.0',
  added_tokens: ['<pad>', '</s>', '<unk>'].map((content, id) => ({ id, ...specialToken(content) })),
  normalizer: null,
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', add_prefix_space: true }],
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
    pair: [],
    special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
  },
  decoder: { type: 'Metaspace', replacement: '▁', add_prefix_space: true },
  model: {
    type: 'Unigram',
    unk_id: 2,
    vocab: [
      ['<pad>', 0],
      ['</s>', 0],
      ['<unk>', 0],
      ['▁', -2],
      ['▁cat', -3],
      ['s', -4],
      ['▁cats', -9],
      ['▁two', -3.5],
      ['t', -5],
      ['wo', -6],
    ],
  },
}

/** vocab.txt of a small BERT: ids are places. */
export const bertVocab = [
  ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'cat', '##s', 'dog', 'un', '##believ', '##able'],
  ...['cafe', '猫', '犬', 'don', "'", 't', '.', ',', '!'],
]
