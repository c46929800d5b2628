/** The files that hold a vocabulary where there is no tokenizer.json. Errors begin with the file's name and the line. */
import { CheckpointError } from '../errors.ts'
import { expectId, expectObject } from './json.ts'
import type { Vocabulary } from './tokenizer-json.ts'

/** vocab.txt of BERT: one token in a line, whose id is the number of the line, from 0 on. */
export function parseVocabTxt(text: string): Vocabulary {
  const vocab = new Map<string, number>()
  for (const [id, token] of lines(text).entries()) {
    const where = `vocab.txt: line ${id + 1}`
    if (token === '') throw new CheckpointError(`${where}: expected a token, found an empty line`)
    const first = vocab.get(token)
    if (first !== undefined)
      throw new CheckpointError(`${where}: ${JSON.stringify(token)} is the token of line ${first + 1} already`)
    vocab.set(token, id)
  }
  return vocab
}

/** vocab.json of GPT-2 and OPT, parsed: token → id. */
export function parseVocabJson(json: unknown): Vocabulary {
  const vocab = new Map<string, number>()
  const owners = new Map<number, string>()
  for (const [token, value] of Object.entries(expectObject(json, 'vocab.json'))) {
    const where = `vocab.json: ${JSON.stringify(token)}`
    const id = expectId(value, where)
    const owner = owners.get(id)
    if (owner !== undefined) throw new CheckpointError(`${where}: id ${id} belongs to ${JSON.stringify(owner)} already`)
    owners.set(id, token)
    vocab.set(token, id)
  }
  return vocab
}

/** merges.txt of GPT-2 and OPT: after a `#version` line, two tokens in a line, which are joined. */
export function parseMerges(text: string, vocab: Vocabulary): [left: string, right: string][] {
  const merges: [string, string][] = []
  for (const [i, line] of lines(text).entries()) {
    if (line.startsWith('#version')) continue
    const where = `merges.txt: line ${i + 1}`
    const [left, right, ...rest] = line.split(' ')
    if (!left || !right || rest.length > 0)
      throw new CheckpointError(`${where}: expected two tokens and one space, found ${JSON.stringify(line)}`)
    const unknown = [left, right, left + right].find((token) => !vocab.has(token))
    if (unknown !== undefined)
      throw new CheckpointError(
        `${where}: ${JSON.stringify(unknown)} is not in vocab.json; are both files whole, and of one model?`,
      )
    merges.push([left, right])
  }
  return merges
}

/** Lines end with a line feed, on Windows after a carriage return; the last one may have no end. */
function lines(text: string): string[] {
  const found = text.split(/\r?\n/)
  if (found.at(-1) === '') found.pop()
  return found
}
