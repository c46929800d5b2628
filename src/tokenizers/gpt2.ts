/**
 * OPT's and GPT-2's byte-level BPE from vocab.json and merges.txt, as the tokenizer.json that transformers makes of them.
 *
 * Source: transformers 4.27, convert_slow_tokenizer.py, `GPT2Converter`. OPT has GPT-2's class with other special tokens, which its
 * published tokenizer_config.json names.
 */
import { CheckpointError } from '../errors.ts'
import { byteLevelTokenizer } from './byte-level.ts'
import { booleanAt, expectClass, expectObject } from './json.ts'
import { readSpecialTokens, type SettingsFiles } from './special-tokens.ts'
import { parseMerges, parseVocabJson } from './vocabulary.ts'

const gpt2 = { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>' }
const opt = { bos_token: '</s>', eos_token: '</s>', unk_token: '</s>', pad_token: '<pad>' }

/** `vocabJson`: the parsed file; `mergesTxt`: the text of merges.txt. Throws CheckpointError. */
export function gpt2Tokenizer(vocabJson: unknown, mergesTxt: string, files: SettingsFiles): unknown {
  const file = 'tokenizer_config.json'
  const config = expectObject(files[file] ?? {}, file)
  expectClass(config, file, ['GPT2Tokenizer', 'GPT2TokenizerFast'], 'vocab.json and merges.txt')

  const vocab = parseVocabJson(vocabJson)
  // OPT's vocabulary has GPT-2's end of text too, as an ordinary token.
  const defaults = vocab.has('</s>') ? opt : gpt2
  const special = readSpecialTokens(vocab, defaults, files)
  const start = special.of('bos_token')
  const starts = booleanAt(config, 'add_bos_token', file, start?.content === opt.bos_token)
  if (starts && !vocab.has(start?.content ?? ''))
    throw new CheckpointError(
      `vocab.json: no ${start?.content ?? 'bos_token'} among its ${vocab.size} tokens; is it the file of the model?`,
    )
  return byteLevelTokenizer({
    vocab,
    merges: parseMerges(mergesTxt, vocab),
    addedTokens: special.all,
    addPrefixSpace: booleanAt(config, 'add_prefix_space', file, false),
    start: starts ? start : undefined,
  })
}
