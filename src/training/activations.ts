/** What a training step keeps in memory beside the weights. */
import { elementCount, identity, type Layer, plainForm, reachable, type Value } from '../graph/index.ts'

const bytesOf = { float32: 4, float16: 2, bfloat16: 2, int64: 8, int32: 4, uint8: 1, bool: 1 } as const

/** Operators whose output is their input in another shape: no memory of its own. */
const views = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Identity'])

/** The named dimensions of a batch whose texts all have `tokens`, behind `queries` each: the most that a graph of an objective can have. */
export function fullSizes(batch: number, tokens: number, queries: number): Readonly<Record<string, number>> {
  const rows = { rows: batch * (queries + tokens), predicting: batch * tokens } // Where nothing is padding.
  return { batch, tokens, targets: tokens, question: tokens, ...rows }
}

/**
 * Bytes of the intermediate values of `losses` that are read again where `slopes`, their gradients, are computed: they wait from the
 * pass forward to the one back. Of what is computed again for that, the largest layer counts, as these follow each other. `sizes` gives
 * the named dimensions, such as `batch`.
 */
export function keptBytes(
  losses: readonly Value[],
  slopes: readonly Value[],
  sizes: Readonly<Record<string, number>>,
): number {
  const forward = new Set(reachable(losses, plainForm).map(identity))
  const kept = new Map<object, Value>()
  const again = new Map<Layer, Map<object, Value>>()
  for (const value of reachable(slopes, plainForm)) {
    if (value.source.kind !== 'node' || forward.has(identity(value)) || value.source.node.op === 'Shape') continue
    const { inputs, layer: ofCopy } = value.source.node
    for (const read of inputs) {
      const from = read && inMemory(read)
      if (from?.source.kind !== 'node') continue
      const { layer } = from.source.node
      if (forward.has(identity(from))) kept.set(identity(from), from)
      else if (layer && !ofCopy) again.set(layer, (again.get(layer) ?? new Map()).set(identity(from), from))
    }
  }
  const bytes = (values: Iterable<Value>) => {
    let sum = 0
    for (const { shape, dtype } of values) sum += elementCount(shape, sizes) * bytesOf[dtype]
    return sum
  }
  return bytes(kept.values()) + Math.max(0, ...Array.from(again.values(), (values) => bytes(values.values())))
}

/** The value whose memory this one shares. */
function inMemory(value: Value): Value {
  const plain = plainForm(value)
  const { source } = plain
  if (source.kind !== 'node' || !views.has(source.node.op)) return plain
  return inMemory(source.node.inputs[0] as Value)
}
