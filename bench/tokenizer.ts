/** A tokenizer of as many tokens as a published one, whose words mean nothing: bytes, then numbered words. */
export function benchTokenizer(size: number): unknown {
  const vocab: Record<string, number> = { '<s>': 0, '<pad>': 1, '</s>': 2 }
  for (let byte = 0; byte < 256; byte++) vocab[byteLevel(byte)] = Object.keys(vocab).length
  for (let id = Object.keys(vocab).length; id < size; id++) vocab[`Ġw${id}`] = id
  const special = (content: string, id: number) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  })
  return {
    version: '1.0',
    added_tokens: [special('<s>', 0), special('<pad>', 1), special('</s>', 2)],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', dropout: null, unk_token: null, fuse_unk: false, vocab, merges: [] },
  }
}

/** The printable character that stands for a byte in byte-level BPE (GPT-2, Radford et al. 2019). */
function byteLevel(byte: number): string {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174
  if (printable(byte)) return String.fromCharCode(byte)
  let shift = 0
  for (let b = 0; b < byte; b++) if (!printable(b)) shift++
  return String.fromCharCode(256 + shift)
}
