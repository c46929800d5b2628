import type { Resolve } from './forms.ts'
import { identity, type Value } from './value.ts'

/** Every value below `values` (these included), each after all that it is computed from. */
export function reachable(values: readonly Value[], resolve: Resolve): Value[] {
  const order: Value[] = []
  const done = new Set<object>()
  const pending = values.map((value) => ({ value: resolve(value), expanded: false }))
  for (let top = pending.pop(); top; top = pending.pop()) {
    if (done.has(identity(top.value))) continue
    const { source } = top.value
    if (top.expanded || source.kind !== 'node') {
      done.add(identity(top.value))
      order.push(top.value)
      continue
    }
    pending.push({ value: top.value, expanded: true })
    for (const one of source.node.inputs) if (one) pending.push({ value: resolve(one), expanded: false })
  }
  return order
}

/** Every labelled value below `values` by its label, forms included: the intermediates that can be made outputs. */
export function labelled(values: readonly Value[]): Map<string, Value> {
  const found = new Map<string, Value>()
  const seen = new Set<Value>()
  const pending = [...values]
  for (let value = pending.pop(); value; value = pending.pop()) {
    if (seen.has(value)) continue
    seen.add(value)
    if (value.label !== undefined && !found.has(value.label)) found.set(value.label, value)
    if (value.source.kind === 'forms') pending.push(value.source.plain)
    if (value.source.kind === 'node') pending.push(...value.source.node.inputs.filter((one) => one !== undefined))
  }
  return found
}
