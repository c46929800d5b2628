/**
 * A strict JSON reader that is told what it will find: an object, an array, a string or a whole number.
 *
 * `JSON.parse` would do for honest files. A header comes from strangers: `JSON.parse` keeps the last of two equal keys without a word,
 * and builds whatever the text says (100 MB of `[[],[],…` become gigabytes) before anything can be checked. Here the first thing
 * that is out of place ends the reading.
 */
import { CheckpointError } from '../errors.ts'

/** The text and how far it has been read (in UTF-16 units). `where` begins every error, e.g. `model.safetensors: header`. */
export interface JsonCursor {
  readonly text: string
  readonly where: string
  at: number
}

/** Deepest nesting that `skipValue` follows. */
const maxDepth = 64

/** Reads an object; `onEntry` must read the value that belongs to the key. A key that occurs twice is an error. */
export function readObject(cursor: JsonCursor, onEntry: (key: string) => void): void {
  const keys = new Set<string>()
  expect(cursor, '{', 'an object')
  if (accept(cursor, '}')) return
  do {
    const key = readString(cursor)
    if (keys.has(key)) throw new CheckpointError(`${cursor.where}: the key ${shown(key)} occurs twice`)
    keys.add(key)
    expect(cursor, ':', 'a colon')
    onEntry(key)
  } while (accept(cursor, ','))
  expect(cursor, '}', 'a comma or a closing brace')
}

/** Reads an array; `onItem` must read one item. */
export function readArray(cursor: JsonCursor, onItem: () => void): void {
  expect(cursor, '[', 'an array')
  if (accept(cursor, ']')) return
  do onItem()
  while (accept(cursor, ','))
  expect(cursor, ']', 'a comma or a closing bracket')
}

/** Reads a string. */
export function readString(cursor: JsonCursor): string {
  const { text } = cursor
  skipSpace(cursor)
  if (text[cursor.at] !== '"') throw unexpected(cursor, 'a string')
  let end = cursor.at + 1
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  try {
    // JSON.parse knows the escapes. It also copies, so that a short name does not keep a text of 100 MB alive.
    const value = JSON.parse(text.slice(cursor.at, end + 1)) as string
    cursor.at = end + 1
    return value
  } catch {
    throw unexpected(cursor, 'a string')
  }
}

/** Reads a number from 0 to 2⁵³ - 1, written without sign, fraction or exponent. */
export function readCount(cursor: JsonCursor): number {
  skipSpace(cursor)
  const digits = matchAt(cursor, /(?:0|[1-9]\d{0,15})(?![\d.eE])/y)
  const value = Number(digits)
  if (digits === undefined || !Number.isSafeInteger(value))
    throw unexpected(cursor, 'a whole number from 0 to 2^53 - 1')
  return value
}

/** Reads any value and drops it. */
export function skipValue(cursor: JsonCursor, depth = 0): void {
  if (depth > maxDepth) throw unexpected(cursor, `at most ${maxDepth} levels of nesting`)
  skipSpace(cursor)
  switch (cursor.text[cursor.at]) {
    case '{':
      readObject(cursor, () => skipValue(cursor, depth + 1))
      break
    case '[':
      readArray(cursor, () => skipValue(cursor, depth + 1))
      break
    case '"':
      readString(cursor)
      break
    default:
      if (matchAt(cursor, /true|false|null|-?(?:0|[1-9]\d{0,400})(?:\.\d{1,400})?(?:[eE][+-]?\d{1,9})?/y) === undefined)
        throw unexpected(cursor, 'a value')
  }
}

/** Checks that nothing but white space is left. */
export function readEnd(cursor: JsonCursor): void {
  skipSpace(cursor)
  if (cursor.at < cursor.text.length) throw unexpected(cursor, 'the end')
}

/** An error at the present place: what was expected there and what is there instead. */
export function unexpected(cursor: JsonCursor, expected: string): CheckpointError {
  const rest = cursor.text.slice(cursor.at, cursor.at + 21)
  const found = rest === '' ? 'the end' : shown(rest)
  return new CheckpointError(`${cursor.where}: character ${cursor.at}: expected ${expected}, found ${found}`)
}

/** Text from a file, quoted, with control characters escaped, and cut to what fits in a message. */
export function shown(text: string, limit = 120): string {
  return JSON.stringify(text.length > limit ? `${text.slice(0, limit)}…` : text)
}

function skipSpace(cursor: JsonCursor): void {
  const { text } = cursor
  while (text[cursor.at] === ' ' || text[cursor.at] === '\n' || text[cursor.at] === '\r' || text[cursor.at] === '\t')
    cursor.at++
}

function accept(cursor: JsonCursor, character: string): boolean {
  skipSpace(cursor)
  if (cursor.text[cursor.at] !== character) return false
  cursor.at++
  return true
}

function expect(cursor: JsonCursor, character: string, what: string): void {
  if (!accept(cursor, character)) throw unexpected(cursor, what)
}

/** Matches a sticky pattern at the present place and moves behind it. */
function matchAt(cursor: JsonCursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.text)?.[0]
  if (found !== undefined) cursor.at += found.length
  return found
}
