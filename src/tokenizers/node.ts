/** A checkpoint folder → its tokenizer, on Node. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { bertTokenizer } from './bert.ts'
import { gpt2Tokenizer } from './gpt2.ts'
import { createTokenizer, type TextTokenizer } from './tokenizer.ts'

/**
 * Reads the first that is there of tokenizer.json, vocab.txt (BERT), vocab.json with merges.txt (OPT, GPT-2), and the settings
 * beside it: tokenizer_config.json, special_tokens_map.json, added_tokens.json. Throws a CheckpointError that names the file.
 */
export async function loadTokenizer(folder: string): Promise<TextTokenizer> {
  const json = await readJson(folder, 'tokenizer.json')
  const config = (await readJson(folder, 'tokenizer_config.json')) ?? {}
  if (json !== undefined) return named(folder, () => createTokenizer(json, config))

  const files = {
    'tokenizer_config.json': config,
    'special_tokens_map.json': await readJson(folder, 'special_tokens_map.json'),
    'added_tokens.json': await readJson(folder, 'added_tokens.json'),
  }
  const vocabTxt = await readText(folder, 'vocab.txt')
  if (vocabTxt !== undefined) return named(folder, () => createTokenizer(bertTokenizer(vocabTxt, files), config))

  const vocab = await readJson(folder, 'vocab.json')
  const merges = await readText(folder, 'merges.txt')
  if (vocab !== undefined && merges !== undefined)
    return named(folder, () => createTokenizer(gpt2Tokenizer(vocab, merges, files), config))
  throw new CheckpointError(
    `${folder}: no tokenizer: looked for tokenizer.json, vocab.txt, vocab.json with merges.txt (spiece.model is not read); ` +
      "copy tokenizer.json from the checkpoint's page, or say where one is (--tokenizer)",
  )
}

/** What `create` gives; its errors begin with the name of a file in the folder. */
function named(folder: string, create: () => TextTokenizer): TextTokenizer {
  try {
    return create()
  } catch (error) {
    throw new CheckpointError(join(folder, (error as Error).message), { cause: error })
  }
}

/** The parsed file, or undefined if there is none. */
async function readJson(folder: string, name: string): Promise<unknown> {
  const text = await readText(folder, name)
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch (error) {
    const found = `not valid JSON (${(error as Error).message})`
    throw new CheckpointError(`${join(folder, name)}: ${found}; download it again`, { cause: error })
  }
}

/** The text of the file, or undefined if there is none. */
async function readText(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return undefined
    const found = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'not UTF-8 text; download it again' : `${error}`
    throw new CheckpointError(`${path}: ${found}`, { cause: error })
  }
}
