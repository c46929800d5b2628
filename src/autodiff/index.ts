/** Reverse-mode differentiation: the gradient of a graph is again a graph, made of the same operators. */
import { GradientError } from '../errors.ts'
import { describe, identity, type Layer, type Node, plainForm, reachable, scalar, type Value } from '../graph/index.ts'
import { add, expandLike, onceKnown } from '../ops/index.ts'
import { recomputation } from './recompute.ts'

export interface GradientOptions {
  /** Compute the inside of each `layer` again when its gradient is due, so that it need not wait in memory. Same bits, more time. */
  readonly recompute?: boolean
}

/**
 * d loss / d each value of `wrt`, in their order. `loss` has shape () or only axes of size 1. What is not in `wrt` is
 * frozen: no gradient is built for it or below it. Write the graph with purpose `training`.
 * @throws GradientError when `loss` does not depend on a value, or reaches it through an operator without gradient.
 */
export function gradients(loss: Value, wrt: readonly Value[], options: GradientOptions = {}): Value[] {
  if (loss.shape.some((dim) => dim !== 1))
    throw new GradientError(`gradients: the loss is ${describe(loss)}, not one number`)
  const nodes = [
    ...new Set(reachable([loss], plainForm).flatMap(({ source }) => (source.kind === 'node' ? [source.node] : []))),
  ]
  const targets = wrt.map((value) => identity(plainForm(value)))
  const wanted = new Set(targets)
  const active = activeNodes(nodes, wanted)
  const layers = layerByLayer()
  const again = options.recompute ? recomputation(nodes) : undefined

  const found = new Map<object, Value>([[identity(plainForm(loss)), expandLike(scalar(1), loss)]])
  for (const node of nodes.reverse()) {
    const arrived = node.outputs.map((output) => found.get(output))
    if (!active.has(node) || arrived.every((dy) => dy === undefined)) continue
    if (typeof node.gradient === 'string') {
      throw new GradientError(`${node.op} (${describe(node.outputs[0] as Value)}) has no gradient: ${node.gradient}`)
    }
    const dys = layers.enter(node, arrived)
    const own = node.gradient(...dys)
    const dxs = again ? again(node, dys, own) : own
    node.inputs.forEach((input, i) => {
      const dx = dxs[i]
      if (!input || !dx || !leadsTo(active, wanted, input)) return
      const key = identity(plainForm(input))
      const earlier = found.get(key)
      const sum = earlier ? add(earlier, dx) : dx
      found.set(key, sum)
      if (wanted.has(key)) layers.due(sum)
    })
  }
  return wrt.map((value, i) => {
    const gradient = found.get(targets[i] as object)
    if (!gradient) throw new GradientError(`gradients: the loss does not depend on ${describe(value)}`)
    return gradient
  })
}

/**
 * The way back enters a layer when the wanted gradients of those behind it are known. ONNX Runtime would leave most of them to the end, and
 * what they are computed from would wait in memory.
 */
function layerByLayer() {
  const entered = new Set<Layer>()
  const waiting: Value[] = []
  return {
    due(gradient: Value): void {
      waiting.push(gradient)
    },
    /** The gradients that arrive at a node. */
    enter({ layer }: Node, dys: readonly (Value | undefined)[]): readonly (Value | undefined)[] {
      if (!layer || entered.has(layer)) return dys
      entered.add(layer)
      const before = waiting.splice(0)
      return before.length > 0 ? dys.map((dy) => dy && onceKnown(dy, before)) : dys
    },
  }
}

/** The nodes (given in topological order) through which a wanted value reaches the loss. */
function activeNodes(nodes: readonly Node[], wanted: ReadonlySet<object>): Set<Node> {
  const active = new Set<Node>()
  for (const node of nodes) {
    if (node.inputs.some((input) => input && leadsTo(active, wanted, input))) active.add(node)
  }
  return active
}

function leadsTo(active: ReadonlySet<Node>, wanted: ReadonlySet<object>, value: Value): boolean {
  const plain = plainForm(value)
  return wanted.has(identity(plain)) || (plain.source.kind === 'node' && active.has(plain.source.node))
}
