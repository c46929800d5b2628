import { readFile } from 'node:fs/promises'
import { DataError } from '../errors.ts'
import type { JsonFile } from './json.ts'

/** A JSON file, or the list of the objects of a file with one on each line (JSONL). DataError where there is no file, or no JSON in it. */
export async function readJson(file: string): Promise<JsonFile> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).replace(/^\ufeff/, '')
  } catch (cause) {
    throw new DataError(`${file}: cannot be read: ${(cause as NodeJS.ErrnoException).code ?? cause}`, { cause })
  }
  if (text.trim() === '') throw new DataError(`${file}: no JSON: the file is empty`)
  return { name: file, content: file.endsWith('.jsonl') || isLines(text) ? readLines(text, file) : parse(text, file) }
}

/** Whether the first line is an object and more follow. */
function isLines(text: string): boolean {
  const end = text.indexOf('\n')
  if (!/^\{.*\}\s*$/.test(text.slice(0, end + 1)) || text.slice(end).trim() === '') return false
  try {
    JSON.parse(text.slice(0, end))
    return true
  } catch {
    return false
  }
}

function readLines(text: string, file: string): unknown[] {
  return text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parse(line, `${file}:${i + 1}`)]))
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // The message quotes the file, which may be binary.
    throw new DataError(`${where}: no JSON: ${(cause as Error).message.replace(/\p{Cc}/gu, '?')}`, { cause })
  }
}
