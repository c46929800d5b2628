import { type Dim, input, type Shape, type Value } from '../graph/index.ts'
import { concat } from '../ops/index.ts'

/**
 * Keys and values of the tokens that a decoder has already read. They are sequence first, so that the cache only ever
 * appends: a graph reads `past.NAME` (past, …), computes the rows of the new tokens and returns only these as `present.NAME`.
 */
export interface KeyValueCache {
  /** All rows so far: those of the cache, then `fresh` (tokens, batch, size). */
  extend(name: string, fresh: Value): Value
  /** Rows that another graph has put into the cache, of shape (`length`, …rest). */
  recall(name: string, length: Dim, rest: Shape): Value
}

export interface GraphCache extends KeyValueCache {
  /** `present.NAME` → the new rows, to be made outputs of the graph. */
  readonly outputs: Record<string, Value>
}

/** A cache that lives outside the graph. */
export function graphCache(past: Dim = 'past'): GraphCache {
  const outputs: Record<string, Value> = {}
  const recall = (name: string, length: Dim, rest: Shape) => input(`past.${name}`, 'float32', [length, ...rest])
  return {
    outputs,
    recall,
    extend(name, fresh) {
      outputs[`present.${name}`] = fresh
      return concat([recall(name, past, fresh.shape.slice(1)), fresh], 0)
    },
  }
}

/** No cache of earlier tokens: the graph reads a whole sequence. Its rows are recorded for later graphs. */
export function emptyCache(): GraphCache {
  const outputs: Record<string, Value> = {}
  return {
    outputs,
    recall(name) {
      throw new Error(`nothing was put into the cache under ${name}`)
    },
    extend(name, fresh) {
      outputs[`present.${name}`] = fresh
      return fresh
    },
  }
}

/** A cache inside of one graph: what one part puts into it, a later one finds there. Gradients flow through it. */
export function sharedCache(): KeyValueCache {
  const rows = new Map<string, Value>()
  return {
    recall(name) {
      const found = rows.get(name)
      if (!found) throw new Error(`nothing was put into the cache under ${name}`)
      return found
    },
    extend(name, fresh) {
      const earlier = rows.get(name)
      const all = earlier ? concat([earlier, fresh], 0) : fresh
      rows.set(name, all)
      return all
    },
  }
}
