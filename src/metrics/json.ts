/** Reading parsed JSON of unknown shape. `where` is the file and place, for the message. */
import { DataError } from '../errors.ts'

/** An id as the files have it: COCO's and VQA's are numbers, Flickr30k's are texts. */
export type Id = number | string

/** A parsed file and its name, for messages. */
export interface JsonFile {
  readonly name: string
  readonly content: unknown
}

export function objectAt(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected(where, 'an object', value)
  return value as Record<string, unknown>
}

export function listAt(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected(where, 'a list', value)
  return value
}

export function textAt(value: unknown, where: string): string {
  if (typeof value !== 'string') throw unexpected(where, 'a text', value)
  return value
}

export function idAt(value: unknown, where: string): Id {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value
  throw unexpected(where, 'a number or a text', value)
}

/** The id that looks the same and is another: 12 for "12", "12" for 12. */
export function lookalike(id: Id): Id {
  return typeof id === 'string' ? Number(id) : String(id)
}

/** A whole number in [0, end). */
export function indexAt(value: unknown, end: number, where: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < end) return value
  throw unexpected(where, `a whole number from 0 to ${end - 1}`, value)
}

/** A list of objects, each with its place: `results.json[12]`. */
export function objectsAt(value: unknown, where: string): { entry: Readonly<Record<string, unknown>>; at: string }[] {
  return listAt(value, where).map((item, i) => {
    const at = `${where}[${i}]`
    return { entry: objectAt(item, at), at }
  })
}

/** How an id is written in messages: `42`, `"42"`. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function unexpected(where: string, expected: string, found: unknown): DataError {
  return new DataError(`${where}: expected ${expected}, found ${found === undefined ? 'nothing' : shown(found)}`)
}
