/** Between the reference's tensors, batch first, and those of our graphs, sequence first. */
import type { Value } from '../../src/graph/index.ts'
import { transpose } from '../../src/ops/index.ts'
import { longs, numbers, type Tensor } from '../support/tensors.ts'

/** (tokens, batch, size) → (batch, tokens, size), in the graph. */
export function batchFirst(x: Value): Value {
  return transpose(x, [1, 0, 2])
}

/** int64 (batch, tokens) → (tokens, batch). */
export function sequenceFirst(ids: Tensor): Tensor {
  const [batch, tokens] = ids.shape as [number, number]
  const values = numbers(ids)
  return longs(
    [tokens, batch],
    Array.from({ length: tokens * batch }, (_, i) => values[(i % batch) * tokens + Math.floor(i / batch)]!),
  )
}

/** The rows of a matrix. */
export function rows(tensor: Tensor): number[][] {
  const [count, width] = tensor.shape as [number, number]
  const values = numbers(tensor)
  return Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width))
}

/** 0, 1, 2, … */
export function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i)
}

/** Looks a labelled value up; a name that is not there is an error. */
export function find(labels: ReadonlyMap<string, Value>): (name: string) => Value {
  return (name) => {
    const value = labels.get(name)
    if (!value) throw new Error(`no value of the graph is labelled ${name}`)
    return value
  }
}
