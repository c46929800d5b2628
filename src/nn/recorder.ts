import { type Params, paramsFrom } from './params.ts'

/** What a model asked for: its weights' names and shapes, in the order of use. */
export interface Recording {
  readonly params: Params
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** Number of parameters of the weights whose name starts with `prefix` (all by default). */
  total(prefix?: string): number
}

/** Params without data: a model built on them says what it needs and how large it is. */
export function recorderParams(): Recording {
  const shapes = new Map<string, readonly number[]>()
  const params = paramsFrom((name, shape) => {
    shapes.set(name, shape)
    return undefined
  })
  return {
    params,
    shapes,
    total(prefix = '') {
      let sum = 0
      for (const [name, shape] of shapes) if (name.startsWith(prefix)) sum += shape.reduce((n, dim) => n * dim, 1)
      return sum
    },
  }
}
