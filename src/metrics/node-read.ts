import { readFile } from 'node:fs/promises'
import { DataError } from '../errors.ts'
import type { JsonFile } from './json.ts'

/** DataError where there is no file, or no JSON in it. */
export async function readJson(file: string): Promise<JsonFile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new DataError(`${file}: cannot be read: ${(cause as NodeJS.ErrnoException).code ?? cause}`, { cause })
  }
  try {
    return { name: file, content: JSON.parse(text.replace(/^\ufeff/, '')) }
  } catch (cause) {
    const hint = text.trim() === '' ? 'the file is empty' : (cause as Error).message
    throw new DataError(`${file}: no JSON: ${hint}`, { cause })
  }
}
