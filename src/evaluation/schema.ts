import type { z } from 'zod'
import { ConfigError } from '../errors.ts'

/** What zod found wrong, one line per field: `vqav2.yaml: presets.paper.beams: expected a positive integer, found "five"`. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true, error: expectation })
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.flatMap((issue) => lines(issue, where)).join('\n'))
}

/** Messages for what the schemas do not word themselves. */
function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return `expected ${names[issue.expected] ?? `a ${issue.expected}`}`
  if (issue.code === 'invalid_value')
    return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
  return undefined
}

const names: Readonly<Record<string, string>> = {
  object: 'a table',
  record: 'a table',
  array: 'a list',
  string: 'a text',
}

function lines(issue: z.core.$ZodIssue, where: string): string[] {
  const at = (path: readonly PropertyKey[]) => `${where}:${path.length === 0 ? '' : ` ${path.join('.')}:`}`
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${at([...issue.path, key])} there is no such field`)
  // Of a table of an unknown kind, zod has the whole of it as the input.
  const found = issue.code === 'invalid_union' ? fieldOf(issue.input, issue.path.at(-1)) : issue.input
  return [`${at(issue.path)} ${issue.message}, found ${shown(found)}`]
}

function fieldOf(table: unknown, name: PropertyKey | undefined): unknown {
  return typeof table === 'object' && table !== null ? Object.entries(table).find(([key]) => key === name)?.[1] : table
}

function shown(input: unknown): string {
  const text = JSON.stringify(input) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
