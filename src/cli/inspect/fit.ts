/** Whether the tensors of a checkpoint are those that its configuration asks for, by the rules that loading goes by. */
import { tiedNames } from '../../models/blip2.ts'
import { type Blip2Config, isRetrievalConfig, type RetrievalConfig } from '../../models/config.ts'
import { isBuffer, partOf, type Recognised } from '../../models/names/names.ts'
import { hasPart, takes } from '../../models/names/parts.ts'
import { canCaption, retrievalTiedNames } from '../../models/retrieval.ts'
import { findWeight } from '../../nn/index.ts'
import { type Listed, tensorsOf } from './tensors.ts'

/** Names are the canonical ones, those of Hugging Face. */
export interface Fit {
  readonly fits: boolean
  /** Parts that are in another checkpoint, as a whole: the image encoder, the language model. */
  readonly lacks: readonly ('image encoder' | 'language model')[]
  readonly missing: readonly { readonly name: string; readonly shape: readonly number[] }[]
  readonly misshapen: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly expected: readonly number[]
  }[]
  /** Of a type that weights cannot have. */
  readonly mistyped: readonly { readonly name: string; readonly dtype: string }[]
  /** Tensors of the file that the model does not ask for. */
  readonly unused: readonly string[]
}

const aliases = { ...tiedNames, ...retrievalTiedNames }

export function fit(
  stored: readonly Listed[],
  recognised: Recognised | undefined,
  config: Blip2Config | RetrievalConfig,
): Fit {
  const byName = underCanonicalNames(stored, recognised)
  const lacks = lackingParts(config, byName)
  const here = (name: string) => !lacks.some((part) => part === partOf(name))
  const used = new Set<string>()
  const missing: Fit['missing'][number][] = []
  const misshapen: Fit['misshapen'][number][] = []
  const mistyped: Fit['mistyped'][number][] = []
  for (const { name, shape } of tensorsOf(config)) {
    if (!here(name) || isOptional(name, byName)) continue
    const names = [name, ...(aliases[name] ?? [])]
    for (const one of names) used.add(one)
    const found = findWeight(byName, names, shape)
    if (!('problem' in found)) continue
    if (found.problem === 'missing') missing.push({ name, shape })
    else if (found.problem === 'mistyped') mistyped.push({ name, dtype: found.stored.dtype })
    else misshapen.push({ name, shape: found.stored.shape, expected: shape })
  }
  const unused = [...byName.keys()].filter(
    (name) => !used.has(name) && !isBuffer(name) && takes(config, name) && here(name),
  )
  const fits = [missing, misshapen, mistyped, unused].every((list) => list.length === 0)
  return { fits, lacks, missing, misshapen, mistyped, unused }
}

/** What cannot be renamed stays as it is, and will be found to be unused. */
function underCanonicalNames(stored: readonly Listed[], recognised: Recognised | undefined): Map<string, Listed> {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]))
  if (!recognised) return byName
  const renamed = new Map(recognised.problems.map(({ name }) => [name, byName.get(name) as Listed]))
  for (const [name, origin] of recognised.tensors) {
    const tensor = byName.get(origin.kind === 'stored' ? origin.name : origin.q) as Listed
    const joined = { ...tensor, name, shape: [3 * (tensor.shape[0] ?? 0)], length: 3 * tensor.length }
    renamed.set(name, origin.kind === 'stored' ? { ...tensor, name } : joined)
  }
  return renamed
}

function lackingParts(config: Blip2Config | RetrievalConfig, byName: ReadonlyMap<string, Listed>): Fit['lacks'] {
  const parts = isRetrievalConfig(config)
    ? (['image encoder'] as const)
    : (['image encoder', 'language model'] as const)
  return parts.filter((part) => !hasPart(byName.keys(), part))
}

/** What the retrieval files of Hugging Face leave out: the captioning head and the temperature of training. */
function isOptional(name: string, byName: ReadonlyMap<string, Listed>): boolean {
  if (name === 'temp') return !byName.has(name)
  return partOf(name) === 'captioning head' && !canCaption(byName)
}
