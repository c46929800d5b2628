/**
 * From the names of a checkpoint to the canonical ones, those of Hugging Face, and back. A checkpoint is recognised by what its tensors
 * are called, whatever its file is called. Names only: no tensor is read here.
 */
import { CheckpointError } from '../../errors.ts'
import { nameLike, namings, type Row, rowsFor } from './rows.ts'
import type { Naming, Part, Trait } from './table.ts'

/** What a canonical tensor is made of: one stored tensor, or the biases of queries and values with zeros between them. */
export type Origin =
  | { readonly kind: 'stored'; readonly name: string }
  | { readonly kind: 'joined'; readonly q: string; readonly v: string }

/** What a tensor of another naming is made of: a canonical one, or a third of it. */
export interface Piece {
  readonly name: string
  readonly third: 'q' | 'v' | undefined
}

export interface Recognised {
  readonly naming: Naming
  readonly traits: ReadonlySet<Trait>
  /** Canonical name → what it is made of, in the order of the given names. */
  readonly tensors: ReadonlyMap<string, Origin>
  /** Names that are none, or that cannot be used, and why. */
  readonly problems: readonly { readonly name: string; readonly text: string }[]
}

export const namingTitles: Readonly<Record<Naming, string>> = {
  huggingface: 'Hugging Face',
  lavis: 'LAVIS',
  mmpretrain: 'mmpretrain',
}

/** Recognises a checkpoint by its names, or returns undefined if most of them are no names of BLIP-2. */
export function recogniseNames(names: readonly string[]): Recognised | undefined {
  const known = namings.map((naming) => names.filter((name) => rowsFor(naming, name).length > 0).length)
  const most = Math.max(...known)
  const naming = namings[known.indexOf(most)] as Naming
  return most * 2 <= names.filter((name) => !isBuffer(name)).length ? undefined : readNames(names, naming)
}

/**
 * The same for a checkpoint that is to be used: every name must be known. `where` begins the error.
 * @throws CheckpointError that lists the names that are not.
 */
export function canonicalNames(names: readonly string[], where: string): Recognised {
  const recognised = recogniseNames(names)
  if (!recognised)
    throw new CheckpointError(
      `${where}: no BLIP-2 checkpoint: expected the names of ${Object.values(namingTitles).join(', ')}, found ${some(names, ', ', 3)}`,
    )
  const { naming, problems } = recognised
  if (problems.length > 0)
    throw new CheckpointError(
      `${where}: ${problems.length} of ${names.length} tensors do not go with the names of ${namingTitles[naming]}:\n  ` +
        some(
          problems.map(({ text }) => text),
          '\n  ',
          8,
        ),
    )
  return recognised
}

/**
 * Canonical names as another naming has them: its name → what to store under it.
 * @throws CheckpointError where two tensors would get one name, or the name depends on the language model and `languageModel` is not given.
 */
export function namesIn(
  naming: Naming,
  canonical: readonly string[],
  languageModel: 'opt' | 't5' | undefined,
): Map<string, Piece> {
  const pieces = new Map<string, Piece>()
  for (const name of canonical) {
    for (const { target, third } of targets(naming, name, languageModel)) {
      const other = pieces.get(target)
      if (other !== undefined)
        throw new CheckpointError(
          `${target}: ${namingTitles[naming]} has one name for ${other.name} and ${name}; a checkpoint has only one of them`,
        )
      pieces.set(target, { name, third })
    }
  }
  return pieces
}

/** Which part of the model a canonical name belongs to, or undefined for another name. */
export function partOf(canonical: string): Part | undefined {
  return rowsFor('huggingface', canonical)[0]?.part
}

/** Those of the canonical names for which a naming has none of its own, so that its library will not look for them. */
export function unnamedIn(naming: Naming, canonical: readonly string[]): string[] {
  return canonical.filter((name) => rowsFor('huggingface', name).some(({ unnamed }) => unnamed.includes(naming)))
}

/** Position numbers, which old checkpoints store beside the weights. They keep their names everywhere. */
export function isBuffer(name: string): boolean {
  return name.endsWith('position_ids')
}

function readNames(names: readonly string[], naming: Naming): Recognised {
  const found = names.map((name) => ({ name, rows: rowsFor(naming, name) }))
  const traits = new Set(found.flatMap(({ rows }) => clearTrait(rows) ?? []))
  // mmpretrain leaves the language model out of its files, and has published OPT alone.
  if (naming === 'mmpretrain' && traits.size === 0 && found.some(({ rows }) => rows.length > 1)) traits.add('opt')

  const tensors = new Map<string, Origin>()
  const problems: { name: string; text: string }[] = []
  const halves = new Map<string, { q?: string; v?: string }>()
  for (const { name, rows } of found) {
    const row = rows.find(({ trait }) => trait === undefined || traits.has(trait)) ?? rows[0]
    const canonical = row ? nameLike(name, row, 'huggingface') : name
    if (!row && !isBuffer(name)) problems.push({ name, text: unknownName(name, naming) })
    else if (row?.third && naming !== 'huggingface') {
      halves.set(canonical, { ...halves.get(canonical), [row.third]: name })
    } else if (tensors.has(canonical)) problems.push({ name, text: `${name} is ${canonical}, as another one is` })
    else tensors.set(canonical, { kind: 'stored', name })
  }
  for (const [canonical, { q, v }] of halves) {
    if (q !== undefined && v !== undefined) tensors.set(canonical, { kind: 'joined', q, v })
    else
      problems.push({
        name: (q ?? v) as string,
        text: `${q ?? v}: the bias of the ${q ? 'values' : 'queries'} is missing`,
      })
  }
  return { naming, traits, tensors, problems }
}

/** The trait that all of the rows have. */
function clearTrait(rows: readonly Row[]): Trait | undefined {
  const [first] = rows
  return rows.every(({ trait }) => trait === first?.trait) ? first?.trait : undefined
}

function unknownName(name: string, naming: Naming): string {
  const other = namings.find((one) => one !== naming && rowsFor(one, name).length > 0)
  return `${name} is ${other ? `a name of ${namingTitles[other]}; do not mix the two` : 'unknown'}`
}

interface Target {
  readonly target: string
  readonly third: Piece['third']
}

function targets(naming: Naming, name: string, languageModel: 'opt' | 't5' | undefined): Target[] {
  const rows = rowsFor('huggingface', name)
  if (naming === 'huggingface' || rows.length === 0) return [{ target: name, third: undefined }]
  if (rows.every(({ third }) => third !== undefined))
    return rows.map((row) => ({ target: nameLike(name, row, naming), third: row.third }))
  const possible = new Set(rows.map((row) => nameLike(name, row, naming)))
  const row = possible.size === 1 ? rows[0] : rows.find(({ trait }) => trait === languageModel)
  if (row) return [{ target: nameLike(name, row, naming), third: undefined }]
  throw new CheckpointError(
    `${name}: ${[...possible].join(' or ')} in ${namingTitles[naming]}? It depends on the language model, which is not in the file; name it (--language-model)`,
  )
}

function some(items: readonly string[], separator: string, most: number): string {
  const more = items.length - most
  return items.slice(0, most).join(separator) + (more > 0 ? `${separator}and ${more} more` : '')
}
