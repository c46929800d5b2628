import type { DType } from './dtype.ts'
import type { Attribute, Gradient, Node, Shape, Value } from './value.ts'

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
  const outputs: Value[] = []
  const made: Node = {
    op,
    domain: options.domain ?? '',
    inputs,
    attributes: options.attributes ?? {},
    outputs,
    gradient: options.gradient,
  }
  const dtype = options.dtype ?? (inputs[0] as Value).dtype
  options.shapes.forEach((shape, index) => {
    outputs.push({ dtype, shape, source: { kind: 'node', node: made, index } })
  })
  return outputs
}

export const int = (value: number): Attribute => ({ int: value })
export const ints = (values: readonly number[]): Attribute => ({ ints: values })
export const float = (value: number): Attribute => ({ float: value })
export const text = (value: string): Attribute => ({ string: value })
