import type { FusedForm, Value } from './value.ts'

/** What a graph is written for. */
export interface Target {
  /** `training` keeps every operator in the form that its gradient was derived from. */
  readonly purpose: 'inference' | 'training'
  /** Expected sizes of named dimensions (1 where none is given). Which form is fastest depends on them, the result does not. */
  readonly sizes?: Readonly<Record<string, number>>
}

/** `plain` is the definition (and what is differentiated); `fused` computes the same with fewer or faster nodes. */
export function withFusedForm(plain: Value, fused: FusedForm): Value {
  return { dtype: plain.dtype, shape: plain.shape, source: { kind: 'forms', plain, fused } }
}

/** The one rule: a fused form is written for inference, where it says that it pays at the expected sizes. */
function chooseForm(plain: Value, fused: FusedForm, target: Target): Value {
  if (target.purpose === 'training') return plain
  return fused(target.sizes ?? {}) ?? plain
}

/** Replaces a value that has two forms by the one that is written, always by the same one. */
export type Resolve = (value: Value) => Value

export function resolver(target: Target): Resolve {
  const chosen = new Map<object, Value>()
  return function resolve(value: Value): Value {
    const { source } = value
    if (source.kind !== 'forms') return value
    let choice = chosen.get(source)
    if (!choice) {
      choice = resolve(chooseForm(source.plain, source.fused, target))
      chosen.set(source, choice)
    }
    return value.label === undefined ? choice : { ...choice, label: value.label }
  }
}

/** Every value as its operator defines it. */
export function plainForm(value: Value): Value {
  return value.source.kind === 'forms' ? plainForm(value.source.plain) : value
}
