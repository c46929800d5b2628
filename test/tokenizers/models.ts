/** Two tokenizers made by hand, in the shapes of the published ones: OPT's byte-level BPE and T5's Unigram. */

/** GPT-2's alphabet: the character that stands for each byte (printable ones for themselves, the rest from U+0100). */
export const byteCharacters: readonly string[] = (() => {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(printable ? byte : next++)
  })
})()

const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

const merges = ['c a', 'ca t', 'Ġ cat', 'Ġ a', 'd o', 'do g', 'Ġ dog', 'Ġ .', 'Ġ n', "' t"] as const
const specials = ['<s>', '<pad>', '</s>', '<unk>']

/** Ids: 4 specials, 256 bytes (byte b is 4 + b), then one for each merge in order (260 = `ca`, 261 = `cat`, …), then `<image>`. */
export const optLike = {
  version: '1.0',
  added_tokens: [...specials.map((content, id) => special(id, content)), special(270, '<image>')],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } },
  },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: false,
    vocab: Object.fromEntries(
      [...specials, ...byteCharacters, ...merges.map((pair) => pair.replace(' ', ''))].map((token, id) => [token, id]),
    ),
    merges,
  },
}

/** Ids in the order of `vocab`; scores are log-probabilities, so `▁cats` (-9) loses to `▁cat` + `s` (-3 + -4). */
export const t5Like = {
  version: '1.0',
  added_tokens: ['<pad>', '</s>', '<unk>'].map((content, id) => special(id, content)),
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
