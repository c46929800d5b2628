/** Parameters, tensors and bytes, in all and by part. */
import { type Layout, layoutOf, partTitles } from '../../models/names/layouts.ts'
import { elements, type Listed } from './tensors.ts'

export interface Total {
  readonly tensor_count: number
  readonly parameters: number
  readonly bytes: number
}

export interface Count extends Total {
  readonly parts: Readonly<Record<string, Total>>
  readonly dtypes: Readonly<Record<string, Total>>
  /** What the layout stores and `parameters` leaves out. */
  readonly leftOut: {
    /** Biases of the image encoder's attention keys, which add the same to every score of a query: the softmax cancels them. */
    readonly keyBiases: number
    /** Further copies of tied tensors. */
    readonly tiedCopies: number
    /** Integers and truth values: tables of positions, not parameters. */
    readonly integers: number
  }
}

export function count(tensors: readonly Listed[], layout = layoutOf(tensors.map(({ name }) => name))): Count {
  const byPart: Record<string, Total> = {}
  const dtypes: Record<string, Total> = {}
  let all: Total = { tensor_count: 0, parameters: 0, bytes: 0 }
  const leftOut = { keyBiases: 0, tiedCopies: 0, integers: 0 }
  for (const tensor of tensors) {
    const stored = elements(tensor.shape)
    let parameters = 0
    if (!/^(BF|F|C)\d/.test(tensor.dtype)) leftOut.integers += stored
    else if (layout.copies.has(tensor.name)) leftOut.tiedCopies += stored
    else {
      const keys = isEncoderQkvBias(tensor.name, layout) ? stored / 3 : 0
      leftOut.keyBiases += keys
      parameters = stored - keys
    }
    const one = { tensor_count: 1, parameters, bytes: tensor.length }
    const part = layout.partOf(tensor.name)
    byPart[part] = sum(byPart[part], one)
    dtypes[tensor.dtype] = sum(dtypes[tensor.dtype], one)
    all = sum(all, one)
  }
  const order = [...new Set([...Object.values(partTitles), ...Object.keys(byPart)])].filter((part) => part in byPart)
  const parts = Object.fromEntries(order.map((part) => [part, byPart[part] as Total]))
  return { ...all, parts, dtypes, leftOut }
}

function sum(a: Total | undefined, b: Total): Total {
  if (!a) return b
  return {
    tensor_count: a.tensor_count + b.tensor_count,
    parameters: a.parameters + b.parameters,
    bytes: a.bytes + b.bytes,
  }
}

/** [q, k, v] in one vector. LAVIS and mmpretrain store q and v alone; the Hugging Face layout puts zeros between them. */
function isEncoderQkvBias(name: string, { recognised }: Layout): boolean {
  return recognised?.naming === 'huggingface' && /^vision_model\.encoder\.layers\.\d+\.self_attn\.qkv\.bias$/.test(name)
}
