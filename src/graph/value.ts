/**
 * The graph language: a `Value` is a tensor that does not exist yet, described by its dtype, its shape and where it comes
 * from. Operators (`ops/`) are functions from values to values; `onnx.ts` writes what they describe.
 */

import type { DType } from './dtype.ts'

/** A size known now, or the name of one that is known when the graph runs (`batch`, `past+tokens`). */
export type Dim = number | string
export type Shape = readonly Dim[]

export interface Value {
  readonly dtype: DType
  readonly shape: Shape
  readonly source: Source
  /** Published path of this value (`vision_model.encoder.layers.3`); an output can be asked for by it. */
  readonly label?: string
}

/** Where a value comes from. */
export type Source = Input | Parameter | Constant | NodeOutput | Forms

/** Fed by the caller at every run. */
export interface Input {
  readonly kind: 'input'
  readonly name: string
}

/** A weight, known by its published name. */
export interface Parameter {
  readonly kind: 'parameter'
  readonly name: string
  /** What the weight holds; absent when only names and shapes are wanted (see `recorderParams`). */
  readonly data?: WeightData
}

/** Bytes of a weight: in memory, or where they lie in a file. */
export type WeightData =
  | { readonly kind: 'memory'; readonly values: Float32Array }
  | {
      readonly kind: 'file'
      readonly dtype: DType
      /** Absolute path, symbolic links resolved. */
      readonly file: string
      /** Bytes from the start of the file. */
      readonly offset: number
      /** Bytes. */
      readonly length: number
    }

/** A small tensor written into the graph itself. */
export interface Constant {
  readonly kind: 'constant'
  readonly values: Float32Array | BigInt64Array
}

export interface NodeOutput {
  readonly kind: 'node'
  readonly node: Node
  readonly index: number
}

/** Two ways to compute one value; `forms.ts` holds the rule that picks. */
export interface Forms {
  readonly kind: 'forms'
  readonly plain: Value
  readonly fused: FusedForm
}

/** Builds the fused form for a graph whose named dimensions have about these sizes; undefined when it does not pay. */
export type FusedForm = (sizes: Readonly<Record<string, number>>) => Value | undefined

/** One ONNX node. */
export interface Node {
  readonly op: string
  /** Empty for ONNX's own operators, `com.microsoft` for ONNX Runtime's. */
  readonly domain: string
  readonly inputs: readonly (Value | undefined)[]
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly outputs: readonly Value[]
  readonly gradient: Gradient
  /** What it is a part of (`layer`). */
  readonly layer?: Layer
}

/** One layer of a model, which may be computed again for its gradient. */
export type Layer = symbol

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string }

/**
 * From the gradients of a node's outputs (undefined where none reaches that output) to those of its inputs (undefined
 * where the input has none, such as indices). A string says why the operator has no gradient at all.
 */
export type Gradient = string | ((...outputs: (Value | undefined)[]) => readonly (Value | undefined)[])

/** A value that the caller feeds. */
export function input(name: string, dtype: DType, shape: Shape): Value {
  return { dtype, shape, source: { kind: 'input', name }, label: name }
}

/** A float32 weight known by its published name. */
export function parameter(name: string, shape: readonly number[], data?: WeightData): Value {
  return { dtype: 'float32', shape, source: { kind: 'parameter', name, ...(data && { data }) }, label: name }
}

/** A float32 (Float32Array) or int64 (BigInt64Array) tensor written into the graph. */
export function constant(values: Float32Array | BigInt64Array, shape: readonly number[] = [values.length]): Value {
  return { dtype: values instanceof Float32Array ? 'float32' : 'int64', shape, source: { kind: 'constant', values } }
}

/** A float32 number of shape (). */
export function scalar(value: number): Value {
  return constant(Float32Array.of(value), [])
}

/** Whole numbers as an int64 tensor. */
export function int64s(values: readonly number[], shape: readonly number[] = [values.length]): Value {
  return constant(BigInt64Array.from(values, BigInt), shape)
}

/** The same value under a published name. The first label that a value was given names its tensor in the graph. */
export function label(value: Value, name: string): Value {
  return { ...value, label: name }
}

/** What identifies the tensor behind a value, whatever its labels: two values with one identity are one tensor. */
export function identity(value: Value): object {
  return value.source.kind === 'node' ? (value.source.node.outputs[value.source.index] as Value) : value.source
}
