/** Checks of parsed JSON. `where` begins every error: the file, then the path inside it. */
import { CheckpointError } from '../errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function expectObject(value: unknown, where: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new CheckpointError(`${where}: expected an object, found ${kind(value)}`)
}

/** A boolean of an object; `fallback` where there is none. */
export function booleanAt(object: JsonObject, key: string, where: string, fallback: boolean): boolean {
  const value = object[key] ?? fallback
  if (typeof value === 'boolean') return value
  throw new CheckpointError(`${where}: ${key}: expected true or false, found ${JSON.stringify(value)}`)
}

/** The classes of transformers that read the same files as ours; other ones may mean something else by them. */
export function expectClass(config: JsonObject, where: string, names: readonly string[], files: string): void {
  const found = config.tokenizer_class ?? names[0]
  if (typeof found === 'string' && names.includes(found)) return
  throw new CheckpointError(
    `${where}: tokenizer_class: ${files} can be read for ${names[0]}, found ${JSON.stringify(found)}; give a tokenizer.json`,
  )
}

/** A token's id. The limit keeps a damaged file from asking for an endless table. */
export function expectId(value: unknown, where: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 1e7) return value as number
  throw new CheckpointError(`${where}: expected the id of a token, a whole number, found ${JSON.stringify(value)}`)
}

function kind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
