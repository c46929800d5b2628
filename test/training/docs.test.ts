/** docs/training.md says what a recipe can have. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { recipeSchema } from '../../src/training/recipe.ts'
import { repositoryRoot } from '../support/paths.ts'

interface JsonSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly oneOf?: readonly JsonSchema[]
  readonly const?: string
  readonly default?: unknown
}

const schema = z.toJSONSchema(recipeSchema, { io: 'input' }) as JsonSchema
const text = readFileSync(join(repositoryRoot, 'docs', 'training.md'), 'utf8')

/** The cells of the table whose head is this, without backquotes. */
function table(head: string): string[][] {
  const lines = text.slice(text.indexOf(head)).split('\n').slice(2)
  const rows = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('|')),
  )
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

test('every field of a recipe, in its order, with its default', () => {
  const fields = Object.entries(schema.properties!).flatMap(([name, field]) =>
    field.type === 'object'
      ? Object.entries(field.properties!).map(([inner, value]) => [`${name}.${inner}`, value] as const)
      : [[name, field] as const],
  )
  const shown = (value: unknown) => (value === undefined ? '' : value === 1e-8 ? '1e-8' : JSON.stringify(value))
  assert.deepEqual(
    table('| field | default | meaning |').map(([name, value]) => [name, value]),
    fields.map(([name, { default: value }]) => [name, shown(value)]),
  )
})

test('every kind of data with its files', () => {
  const kinds = schema.properties!.data!.properties!.train!.items!.oneOf!
  const expected = kinds.map(({ properties }) => {
    const { kind, weight, ...files } = properties!
    return [kind!.const, Object.keys(files).join(', ')]
  })
  assert.deepEqual(
    table('| kind | files | what it is |').map(([kind, files]) => [kind, files]),
    expected,
  )
})
