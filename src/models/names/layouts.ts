/** What kind of checkpoint a set of names is, which part of the model each of them belongs to, and which are copies of others. */
import { namingTitles, type Origin, partOf, type Recognised, recogniseNames } from './names.ts'
import { type Naming, type Part, tiedTensors } from './table.ts'

export type Format =
  | 'huggingface-blip2-opt'
  | 'huggingface-blip2-t5'
  | 'huggingface-blip2-retrieval'
  | 'huggingface-blip2'
  | 'lavis-blip2'
  | 'mmpretrain-blip2'
  | 'unknown'

export interface Layout {
  readonly format: Format
  /** In words. */
  readonly title: string
  readonly recognised: Recognised | undefined
  /** The part of the model that a tensor belongs to; in an unknown layout the first component of its name. */
  partOf(name: string): string
  /** Names of further copies of tied tensors: of each group, all that are there but the first. */
  readonly copies: ReadonlySet<string>
}

/** The parts as they are told, in the order in which an image passes them. */
export const partTitles: Readonly<Record<Part, string>> = {
  'image encoder': 'image encoder',
  'encoder norm': 'image encoder',
  'query tokens': 'query tokens',
  'Q-Former': 'Q-Former',
  'Q-Former text': 'Q-Former',
  'captioning head': 'Q-Former',
  comparison: 'comparison',
  projection: 'projection',
  'language model': 'language model',
}

export function layoutOf(names: readonly string[]): Layout {
  const recognised = recogniseNames(names)
  if (!recognised)
    return {
      format: 'unknown',
      title: 'not a known BLIP-2 layout',
      recognised,
      partOf: (name) => name.split('.', 1)[0] as string,
      copies: new Set(),
    }
  const canonical = new Map(
    [...recognised.tensors].flatMap(([name, origin]) => storedNames(origin).map((one) => [one, name])),
  )
  const titleOf = (part: Part | undefined) => (part === undefined ? 'other' : partTitles[part])
  return {
    ...describe(recognised),
    recognised,
    partOf: (name) => titleOf(partOf(canonical.get(name) ?? '')),
    copies: new Set(tiedCopies(recognised)),
  }
}

/** The names in the file that a canonical tensor is made of. */
export function storedNames(origin: Origin): string[] {
  return origin.kind === 'stored' ? [origin.name] : [origin.q, origin.v]
}

function describe({ naming, traits, tensors }: Recognised): Pick<Layout, 'format' | 'title'> {
  const kind = (['opt', 't5', 'retrieval'] as const).find((trait) => traits.has(trait))
  const kindInWords = { opt: ' with OPT', t5: ' with Flan-T5', retrieval: ' for image-text retrieval' }
  const subject = tensors.has('query_tokens') ? `BLIP-2${kind ? kindInWords[kind] : ''}` : 'a part of BLIP-2'
  return { format: formatOf(naming, kind), title: `${subject}, ${namingTitles[naming]} layout` }
}

function formatOf(naming: Naming, kind: 'opt' | 't5' | 'retrieval' | undefined): Format {
  if (naming !== 'huggingface') return `${naming}-blip2`
  return kind ? `huggingface-blip2-${kind}` : 'huggingface-blip2'
}

function tiedCopies({ tensors }: Recognised): string[] {
  const groups = tiedTensors.map((names) => names.flatMap((name) => tensors.get(name) ?? []))
  return groups.flatMap((origins) => origins.slice(1).flatMap(storedNames))
}
