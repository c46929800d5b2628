import { label, parameter, type Value, type WeightData } from '../graph/index.ts'

/**
 * Where a model finds its weights, under their published names. `at` enters a prefix like `cd`; `get` states the shape
 * that the model needs. After candle's VarBuilder.
 */
export interface Params {
  readonly path: string
  at(name: string | number): Params
  /** The weight `path.name`, or `path` itself without a name. */
  get(name: string, shape: readonly number[]): Value
  /** Names a value with this path (or one below it), so that it can be asked for as an output. */
  label(value: Value, name?: string): Value
}

/** Finds the bytes of a weight. Undefined: the weight has a name and a shape only. */
export type WeightSource = (name: string, shape: readonly number[]) => WeightData | undefined

/** Params over a source. A weight that is asked for twice is one value: tied weights are one tensor. */
export function paramsFrom(source: WeightSource): Params {
  const made = new Map<string, Value>()
  const weight = (name: string, shape: readonly number[]): Value => {
    const known = made.get(name)
    if (known) return known
    const value = parameter(name, shape, source(name, shape))
    made.set(name, value)
    return value
  }
  return rooted(weight)
}

/** Params that take each weight, by its full name, from where `route` says: the trained ones from inputs, say, the frozen ones from a file. */
export function routedParams(route: (name: string) => Params): Params {
  return rooted((name, shape) => route(name).get(name, shape))
}

/** Params without a prefix yet. */
function rooted(weight: (name: string, shape: readonly number[]) => Value): Params {
  const at = (path: string): Params => {
    const below = (name: string | number) => (path ? `${path}.${name}` : String(name))
    return {
      path,
      at: (name) => at(below(name)),
      get: (name, shape) => weight(below(name), shape),
      label: (value, name) => label(value, name === undefined ? path : below(name)),
    }
  }
  return at('')
}
