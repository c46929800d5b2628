/**
 * Layers that are computed again for their gradient (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Of the pass forward
 * only what is read outside of its layer waits for the way back; there the nodes inside are copied, and the gradient reads the copies.
 * These compute the same, so each gradient is the same bit for bit.
 */
import { identity, type Layer, type Node, plainForm, type Value, withInputs } from '../graph/index.ts'
import { onceKnown } from '../ops/index.ts'

type Gradients = readonly (Value | undefined)[]

/** `dxs`, which the rule of a node has made of `dys`, from what is computed again. To be asked in the order of the way back. */
export type Recomputation = (node: Node, dys: Gradients, dxs: Gradients) => Gradients

/** For all nodes of a pass forward. */
export function recomputation(nodes: readonly Node[]): Recomputation {
  const forward: Forward = { nodes: new Set(nodes), shared: readOutside(nodes) }
  const layers = new Map<Layer, RecomputedLayer>()
  return ({ layer }, dys, dxs) => {
    if (!layer) return dxs
    const recomputed = layers.get(layer) ?? new RecomputedLayer(layer, forward, dys)
    layers.set(layer, recomputed)
    for (const dy of dys) if (dy) recomputed.keep(dy)
    return dxs.map((dx) => dx && recomputed.again(dx))
  }
}

interface Forward {
  readonly nodes: ReadonlySet<Node>
  /** Identities of what is read outside of the layer that makes it: it waits as it is. */
  readonly shared: ReadonlySet<object>
}

function readOutside(nodes: readonly Node[]): Set<object> {
  const found = new Set<object>()
  for (const { inputs, layer } of nodes) {
    for (const input of inputs) {
      const plain = input && plainForm(input)
      if (plain?.source.kind === 'node' && plain.source.node.layer !== layer) found.add(identity(plain))
    }
  }
  return found
}

/** What the gradient of a layer reads, in place of what the pass forward has made. */
class RecomputedLayer {
  private readonly layer: Layer
  private readonly forward: Forward
  /** The gradients that arrive first: nothing is computed again before. */
  private readonly arrived: readonly Value[]
  private readonly made = new Map<object, Value>()

  constructor(layer: Layer, forward: Forward, dys: Gradients) {
    this.layer = layer
    this.forward = forward
    this.arrived = dys.filter((dy) => dy !== undefined)
  }

  /** This value is read as it is. */
  keep(value: Value): void {
    this.made.set(identity(plainForm(value)), value)
  }

  again(value: Value): Value {
    const plain = plainForm(value)
    const { source } = plain
    if (source.kind === 'parameter' || source.kind === 'constant') return plain
    if (!this.made.has(identity(plain))) {
      if (source.kind === 'node' && this.isInside(plain, source.node)) this.copy(source.node)
      else this.made.set(identity(plain), onceKnown(plain, this.arrived))
    }
    return this.made.get(identity(plain)) as Value
  }

  /** Of the layer alone, or made by the rules of its gradients. */
  private isInside(value: Value, node: Node): boolean {
    if (!this.forward.nodes.has(node)) return true
    return node.layer === this.layer && !this.forward.shared.has(identity(value))
  }

  /** A node over what is computed again; one over weights alone stays as it is. */
  private copy(node: Node): void {
    const inputs = node.inputs.map((input) => input && this.again(input))
    const isSame = inputs.every((input, i) => input === (node.inputs[i] && plainForm(node.inputs[i])))
    const outputs = isSame ? node.outputs : withInputs(node, inputs)
    for (const [i, output] of node.outputs.entries()) this.made.set(output, outputs[i] as Value)
  }
}
