/** Whether the tensors of a checkpoint are those that its configuration asks for, by the rules that loading goes by. */
import { tiedNames } from '../../models/blip2.ts'
import { isBuffer } from '../../models/names/names.ts'
import { findWeight } from '../../nn/index.ts'
import type { Listed } from './tensors.ts'

export interface Fit {
  readonly fits: boolean
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

export function fit(stored: readonly Listed[], needed: readonly Listed[]): Fit {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]))
  const used = new Set<string>()
  const missing: Fit['missing'][number][] = []
  const misshapen: Fit['misshapen'][number][] = []
  const mistyped: Fit['mistyped'][number][] = []
  for (const { name, shape } of needed) {
    const names = [name, ...(tiedNames[name] ?? [])]
    for (const one of names) used.add(one)
    const found = findWeight(byName, names, shape)
    if (!('problem' in found)) continue
    if (found.problem === 'missing') missing.push({ name, shape })
    else if (found.problem === 'mistyped') mistyped.push({ name, dtype: found.stored.dtype })
    else misshapen.push({ name, shape: found.stored.shape, expected: shape })
  }
  const unused = stored.map(({ name }) => name).filter((name) => !used.has(name) && !isBuffer(name))
  const fits = [missing, misshapen, mistyped, unused].every((list) => list.length === 0)
  return { fits, missing, misshapen, mistyped, unused }
}
