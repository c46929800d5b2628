/**
 * BERT's WordPiece tokenizer from vocab.txt, as the tokenizer.json that transformers makes of it.
 *
 * Source: transformers 4.27, convert_slow_tokenizer.py, `BertConverter`; the defaults are those of `BertTokenizer`.
 */
import { CheckpointError } from '../errors.ts'
import { booleanAt, expectClass, expectObject } from './json.ts'
import { type Role, readSpecialTokens, type SettingsFiles } from './special-tokens.ts'
import { type AddedToken, surroundWith } from './tokenizer-json.ts'
import { parseVocabTxt } from './vocabulary.ts'

const defaults = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
} as const

/** `vocabTxt`: the text of vocab.txt. Lower-cases unless tokenizer_config.json says otherwise. Throws CheckpointError. */
export function bertTokenizer(vocabTxt: string, files: SettingsFiles): unknown {
  const file = 'tokenizer_config.json'
  const config = expectObject(files[file] ?? {}, file)
  expectClass(config, file, ['BertTokenizer', 'BertTokenizerFast'], 'vocab.txt')
  const flag = (key: string, fallback: boolean) => booleanAt(config, key, file, fallback)
  if (!flag('do_basic_tokenize', true))
    throw new CheckpointError(`${file}: do_basic_tokenize: false is not supported; give a tokenizer.json`)
  const lowercase = flag('do_lower_case', true)

  const vocab = parseVocabTxt(vocabTxt)
  const special = readSpecialTokens(vocab, defaults, files)
  const needed = (role: Role): AddedToken => {
    const token = special.of(role)
    if (token !== undefined && vocab.has(token.content)) return token
    const content = token?.content ?? role
    throw new CheckpointError(
      `vocab.txt: no ${content} in its ${vocab.size} lines; is it the whole vocabulary of a BERT?`,
    )
  }
  return {
    version: '1.0',
    added_tokens: special.all,
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: flag('tokenize_chinese_chars', true),
      strip_accents: flag('strip_accents', lowercase),
      lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: surroundWith([needed('cls_token')], [needed('sep_token')]),
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: needed('unk_token').content,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab),
    },
  }
}
