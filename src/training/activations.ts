/** What a training step keeps in memory beside the weights. */
import { elementCount, identity, plainForm, reachable, type Value } from '../graph/index.ts'

const bytesOf = { float32: 4, float16: 2, bfloat16: 2, int64: 8, int32: 4, uint8: 1, bool: 1 } as const

/** Operators whose output is their input in another shape: no memory of its own. */
const views = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Identity'])

/**
 * Bytes of the intermediate values of `losses` that are read again where `slopes`, their gradients, are computed: they wait from the
 * pass forward to the one back. `sizes` gives the named dimensions, such as `batch`.
 */
export function keptBytes(
  losses: readonly Value[],
  slopes: readonly Value[],
  sizes: Readonly<Record<string, number>>,
): number {
  const forward = new Set(reachable(losses, plainForm).map(identity))
  const kept = new Map<object, Value>()
  for (const value of reachable(slopes, plainForm)) {
    if (value.source.kind !== 'node' || forward.has(identity(value)) || value.source.node.op === 'Shape') continue
    for (const read of value.source.node.inputs) {
      const from = read && inMemory(read)
      if (from?.source.kind === 'node' && forward.has(identity(from))) kept.set(identity(from), from)
    }
  }
  let bytes = 0
  for (const { shape, dtype } of kept.values())
    bytes += elementCount(shape, sizes) * bytesOf[dtype as keyof typeof bytesOf]
  return bytes
}

/** The value whose memory this one shares. */
function inMemory(value: Value): Value {
  const plain = plainForm(value)
  const { source } = plain
  if (source.kind !== 'node' || !views.has(source.node.op)) return plain
  return inMemory(source.node.inputs[0] as Value)
}
