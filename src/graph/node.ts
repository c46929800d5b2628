import type { DType } from './dtype.ts'
import type { Attribute, Gradient, Layer, Node, Shape, Value } from './value.ts'

/** What an operator says of the node that it makes. */
export interface NodeOptions {
  readonly shape: Shape
  /** dtype of the output; that of the first input when absent. */
  readonly dtype?: DType
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly domain?: string
  /** Required, so that "not differentiable" is written and not forgotten. */
  readonly gradient: Gradient
}

export interface MultiNodeOptions extends Omit<NodeOptions, 'shape'> {
  readonly shapes: readonly Shape[]
}

/** A node with one output. */
export function node(op: string, inputs: readonly (Value | undefined)[], options: NodeOptions): Value {
  return multiNode(op, inputs, { ...options, shapes: [options.shape] })[0] as Value
}

/** A node with several outputs, all of one dtype. */
export function multiNode(op: string, inputs: readonly (Value | undefined)[], options: MultiNodeOptions): Value[] {
  const dtype = options.dtype ?? (inputs[0] as Value).dtype
  const { domain = '', attributes = {}, gradient } = options
  const parts = { op, domain, inputs, attributes, gradient, ...(current && { layer: current }) }
  return withOutputs(
    parts,
    options.shapes.map((shape) => ({ dtype, shape })),
  )
}

/** The outputs of the same node over other inputs of the same shapes. */
export function withInputs(node: Node, inputs: Node['inputs']): Value[] {
  return withOutputs({ ...node, inputs }, node.outputs)
}

function withOutputs(parts: Omit<Node, 'outputs'>, like: readonly Pick<Value, 'dtype' | 'shape'>[]): Value[] {
  const outputs: Value[] = []
  const node: Node = { ...parts, outputs }
  for (const [index, { dtype, shape }] of like.entries()) {
    outputs.push({ dtype, shape, source: { kind: 'node', node, index } })
  }
  return outputs
}

/** The layer whose nodes are being made. */
let current: Layer | undefined

/** What `build` returns; the nodes that it makes are one layer. A layer inside of another is a part of that. */
export function layer<T>(build: () => T): T {
  if (current) return build()
  current = Symbol('layer')
  try {
    return build()
  } finally {
    current = undefined
  }
}

export const int = (value: number): Attribute => ({ int: value })
export const ints = (values: readonly number[]): Attribute => ({ ints: values })
export const float = (value: number): Attribute => ({ float: value })
export const text = (value: string): Attribute => ({ string: value })
