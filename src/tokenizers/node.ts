/** A checkpoint folder → its tokenizer, on Node. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { createTokenizer, type TextTokenizer } from './tokenizer.ts'

/** Reads tokenizer.json and, where it exists, tokenizer_config.json. Throws a CheckpointError that names the file. */
export async function loadTokenizer(folder: string): Promise<TextTokenizer> {
  const tokenizer = await readJson(join(folder, 'tokenizer.json'))
  if (tokenizer === undefined) {
    throw new CheckpointError(
      `${folder}: no tokenizer: looked for tokenizer.json (vocab.json with merges.txt, or spiece.model, are not read); ` +
        "copy tokenizer.json from the checkpoint's page",
    )
  }
  const config = await readJson(join(folder, 'tokenizer_config.json'))
  try {
    return createTokenizer(tokenizer, config ?? {})
  } catch (error) {
    throw new CheckpointError(join(folder, (error as Error).message), { cause: error })
  }
}

/** The parsed file, or undefined if there is none. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    const found = error instanceof SyntaxError ? `not valid JSON (${error.message}); download it again` : `${error}`
    throw new CheckpointError(`${path}: ${found}`, { cause: error })
  }
}
