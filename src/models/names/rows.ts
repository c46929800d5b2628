/** The table of names, one row for each tensor, and where to look a name up. */
import { type Naming, type Part, type Section, sections, type Trait } from './table.ts'

export const namings: readonly Naming[] = ['lavis', 'mmpretrain', 'huggingface']

const columns = ['huggingface', 'lavis', 'mmpretrain'] as const

/** One tensor of the table, `{i}` standing for the number of its layer. */
export interface Row {
  readonly part: Part
  readonly trait: Trait | undefined
  readonly names: Readonly<Record<Naming, string>>
  /** Those that have no name for it, and here use LAVIS's. */
  readonly unnamed: readonly Naming[]
  /** Which third of the Hugging Face tensor the others store. */
  readonly third: 'q' | 'v' | undefined
}

/** The rows that a name of this naming may mean: none for an unknown name, several where `trait` decides. */
export function rowsFor(naming: Naming, name: string): readonly Row[] {
  index ??= buildIndex()
  return name.includes('{i}') ? [] : (index[naming].get(withoutNumber(name)) ?? [])
}

/** The name that a row gives to the tensor whose layer is that of `name`. */
export function nameLike(name: string, row: Row, naming: Naming): string {
  return row.names[naming].replace('{i}', layerOf(name) ?? '')
}

/** The number of the layer, the first one in a name. */
export function layerOf(name: string): string | undefined {
  return layerNumber.exec(name)?.[1]
}

const layerNumber = /(?<=\.)(0|[1-9]\d{0,3})(?=\.)/

function withoutNumber(name: string): string {
  return name.replace(layerNumber, '{i}')
}

/** Made at first use. */
let index: Record<Naming, Map<string, Row[]>> | undefined

function buildIndex(): Record<Naming, Map<string, Row[]>> {
  const built = { huggingface: new Map(), lavis: new Map(), mmpretrain: new Map() }
  for (const row of sections.flatMap(rowsOf)) {
    for (const naming of namings) {
      const known: Map<string, Row[]> = built[naming]
      known.set(row.names[naming], [...(known.get(row.names[naming]) ?? []), row])
    }
  }
  return built
}

function rowsOf({ part, trait, below = ['', '', ''], rows }: Section): Row[] {
  return rows.flatMap((row) => {
    const unnamed = columns.filter((_, column) => row[column] === '-')
    const full = row.map((name, column) => (name === '-' ? `${below[1]}${row[1]}` : `${below[column]}${name}`))
    const endings = row[1].endsWith('*') ? ['weight', 'bias'] : ['']
    return endings.map((ending) => {
      const [merged, lavis, mmpretrain] = full.map((name) => name.replace('*', ending)) as [string, string, string]
      const [, huggingface, third] = /^(.*?)(?:\[([qv])\])?$/.exec(merged) as unknown as [string, string, 'q' | 'v']
      return { part, trait, names: { huggingface, lavis, mmpretrain }, unnamed, third }
    })
  })
}
