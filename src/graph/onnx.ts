/** Values → the bytes of an ONNX model. Field numbers: onnx.proto of ONNX 1.17 (IR version 10, opset 20). */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { type DType, onnxDtypes } from './dtype.ts'
import { commonFolder, relativePath } from './folders.ts'
import { type Resolve, resolver, type Target } from './forms.ts'
import { type Attribute, identity, type Node, type Shape, type Source, type Value, type WeightData } from './value.ts'
import { reachable } from './walk.ts'

const attributeType = { float: 1, int: 2, string: 3, ints: 7 }

export interface OnnxModel {
  readonly bytes: Uint8Array
  /** Folder that the paths of external weights are relative to; absent when the model has none. */
  readonly weightsFolder?: string
}

/**
 * Writes the graph that computes `outputs` (graph output name → value).
 * Weights that lie in a file stay there as external data; float16 and bfloat16 ones are widened by a Cast that ONNX
 * Runtime folds once at load. Weights without data become graph inputs under their published name.
 */
export function toOnnx(outputs: Readonly<Record<string, Value>>, target: Target): OnnxModel {
  const resolve = resolver(target)
  const values = reachable(Object.values(outputs), resolve)
  const sources = values.map(({ source }) => source)
  const fixedNames = [...Object.keys(outputs), ...sources.flatMap(inputName)]
  const writer = new GraphWriter(resolve, commonFolder(sources.flatMap(externalFile)), fixedNames)
  for (const value of values) writer.define(value)
  for (const [name, value] of Object.entries(outputs)) writer.output(name, value)
  return writer.finish()
}

class GraphWriter {
  private readonly nodes: Uint8Array[] = []
  private readonly initializers: Uint8Array[] = []
  private readonly inputs: Uint8Array[] = []
  private readonly outputs: Uint8Array[] = []
  private readonly names = new Map<object, string>()
  private readonly constants = new Map<string, string>()
  private readonly taken: Set<string>
  private readonly resolve: Resolve
  private readonly weightsFolder: string | undefined

  /** `fixedNames` are those that the caller feeds and asks for: they stay as they are, all others make way. */
  constructor(resolve: Resolve, weightsFolder: string | undefined, fixedNames: readonly string[]) {
    this.resolve = resolve
    this.weightsFolder = weightsFolder
    this.taken = new Set()
    for (const name of fixedNames) {
      if (this.taken.has(name)) throw new Error(`toOnnx: two inputs or outputs of the graph are named ${name}`)
      this.taken.add(name)
    }
  }

  output(name: string, value: Value): void {
    this.nodes.push(nodeProto('Identity', '', [this.nameOf(value)], [name], {}, name))
    this.outputs.push(valueInfo(name, value.dtype, value.shape))
  }

  finish(): OnnxModel {
    const graph = new BinaryWriter()
    for (const one of this.nodes) graph.tag(1, WireType.LengthDelimited).bytes(one)
    graph.tag(2, WireType.LengthDelimited).string('blip2')
    for (const one of this.initializers) graph.tag(5, WireType.LengthDelimited).bytes(one)
    for (const one of this.inputs) graph.tag(11, WireType.LengthDelimited).bytes(one)
    for (const one of this.outputs) graph.tag(12, WireType.LengthDelimited).bytes(one)

    const model = new BinaryWriter()
    model.tag(1, WireType.Varint).int64(10)
    model.tag(2, WireType.LengthDelimited).string('blip2')
    model.tag(7, WireType.LengthDelimited).bytes(graph.finish())
    for (const [domain, version] of [
      ['', 20],
      ['com.microsoft', 1],
    ] as const) {
      model.tag(8, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(domain)
      model.tag(2, WireType.Varint).int64(version).join()
    }
    return { bytes: model.finish(), ...(this.weightsFolder !== undefined && { weightsFolder: this.weightsFolder }) }
  }

  private nameOf(value: Value): string {
    return this.names.get(identity(this.resolve(value))) as string
  }

  /** Writes a value, once, behind all that it is computed from. */
  define(value: Value): void {
    if (this.names.has(identity(value))) return
    const { source } = value
    switch (source.kind) {
      case 'input':
        this.names.set(identity(value), source.name)
        this.inputs.push(valueInfo(source.name, value.dtype, value.shape))
        return
      case 'constant':
        this.names.set(identity(value), this.constant(value, bytesOf(source.values)))
        return
      case 'parameter':
        this.names.set(identity(value), source.data ? this.claim(source.name) : source.name)
        this.weight(this.nameOf(value), value, source.data)
        return
      case 'node':
        this.node(source.node, value)
        return
      case 'forms':
        throw new Error('a value with two forms must be resolved before it is written')
    }
  }

  /** The name of a constant; small ones that are equal (shapes, factors) are written once. */
  private constant(value: Value, bytes: Uint8Array): string {
    const key = bytes.length <= 64 ? `${value.dtype} ${value.shape}: ${bytes}` : undefined
    const known = key && this.constants.get(key)
    if (known) return known
    const name = this.claim('constant')
    if (key) this.constants.set(key, name)
    this.initializers.push(rawTensor(name, value.dtype, value.shape as readonly number[], bytes))
    return name
  }

  private node(node: Node, value: Value): void {
    const base = value.label ?? node.op
    node.outputs.forEach((output, index) => {
      this.names.set(output, this.claim(output === identity(value) ? base : `${base}:${index}`))
    })
    const inputs = node.inputs.map((one) => (one === undefined ? '' : this.nameOf(one)))
    const outputs = node.outputs.map((one) => this.names.get(one) as string)
    this.nodes.push(nodeProto(node.op, node.domain, inputs, outputs, node.attributes, outputs[0] as string))
  }

  private weight(name: string, value: Value, data: WeightData | undefined): void {
    const shape = value.shape as readonly number[]
    if (data === undefined) {
      this.inputs.push(valueInfo(name, value.dtype, shape))
    } else if (data.kind === 'memory') {
      this.initializers.push(rawTensor(name, 'float32', shape, bytesOf(data.values)))
    } else if (data.dtype === value.dtype) {
      this.initializers.push(this.external(name, data, shape))
    } else {
      const stored = this.claim(`${name}:${data.dtype}`)
      this.initializers.push(this.external(stored, data, shape))
      this.nodes.push(nodeProto('Cast', '', [stored], [name], { to: { int: onnxDtypes[value.dtype] } }, name))
    }
  }

  private external(name: string, data: WeightData & { kind: 'file' }, shape: readonly number[]): Uint8Array {
    const tensor = tensorHeader(name, data.dtype, shape)
    const entries = {
      location: relativePath(this.weightsFolder as string, data.file),
      offset: String(data.offset),
      length: String(data.length),
    }
    for (const [key, entry] of Object.entries(entries)) {
      tensor.tag(13, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(key)
      tensor.tag(2, WireType.LengthDelimited).string(entry).join()
    }
    return tensor.tag(14, WireType.Varint).int32(1).finish()
  }

  /** A tensor name that is free: the wanted one, or that with a number behind it. */
  private claim(wanted: string): string {
    let name = wanted
    for (let count = 1; this.taken.has(name); count++) name = `${wanted}.${this.taken.size}.${count}`
    this.taken.add(name)
    return name
  }
}

/** The name under which the caller feeds it, if it is fed. */
function inputName(source: Source): string[] {
  return source.kind === 'input' || (source.kind === 'parameter' && !source.data) ? [source.name] : []
}

/** The weight file that it lies in, if it lies in one. */
function externalFile(source: Source): string[] {
  return source.kind === 'parameter' && source.data?.kind === 'file' ? [source.data.file] : []
}

function bytesOf(values: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function nodeProto(
  op: string,
  domain: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
  name: string,
): Uint8Array {
  const writer = new BinaryWriter()
  for (const one of inputs) writer.tag(1, WireType.LengthDelimited).string(one)
  for (const one of outputs) writer.tag(2, WireType.LengthDelimited).string(one)
  writer.tag(3, WireType.LengthDelimited).string(name)
  writer.tag(4, WireType.LengthDelimited).string(op)
  for (const [key, attribute] of Object.entries(attributes)) {
    writer.tag(5, WireType.LengthDelimited).bytes(attributeProto(key, attribute))
  }
  if (domain) writer.tag(7, WireType.LengthDelimited).string(domain)
  return writer.finish()
}

function attributeProto(name: string, attribute: Attribute): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name)
  if ('int' in attribute) {
    writer.tag(3, WireType.Varint).int64(attribute.int).tag(20, WireType.Varint).int32(attributeType.int)
  } else if ('float' in attribute) {
    writer.tag(2, WireType.Bit32).float(attribute.float).tag(20, WireType.Varint).int32(attributeType.float)
  } else if ('ints' in attribute) {
    for (const one of attribute.ints) writer.tag(8, WireType.Varint).int64(one)
    writer.tag(20, WireType.Varint).int32(attributeType.ints)
  } else {
    writer.tag(4, WireType.LengthDelimited).string(attribute.string)
    writer.tag(20, WireType.Varint).int32(attributeType.string)
  }
  return writer.finish()
}

function valueInfo(name: string, dtype: DType, shape: Shape): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name)
  writer.tag(2, WireType.LengthDelimited).fork() // TypeProto
  writer.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(onnxDtypes[dtype]) // its tensor type
  writer.tag(2, WireType.LengthDelimited).fork() // TensorShapeProto
  for (const dim of shape) {
    writer.tag(1, WireType.LengthDelimited).fork()
    if (typeof dim === 'number') writer.tag(1, WireType.Varint).int64(dim)
    else writer.tag(2, WireType.LengthDelimited).string(dim)
    writer.join()
  }
  return writer.join().join().join().finish()
}

function tensorHeader(name: string, dtype: DType, shape: readonly number[]): BinaryWriter {
  const writer = new BinaryWriter()
  for (const dim of shape) writer.tag(1, WireType.Varint).int64(dim)
  writer.tag(2, WireType.Varint).int32(onnxDtypes[dtype])
  return writer.tag(8, WireType.LengthDelimited).string(name)
}

function rawTensor(name: string, dtype: DType, shape: readonly number[], bytes: Uint8Array): Uint8Array {
  return tensorHeader(name, dtype, shape).tag(9, WireType.LengthDelimited).bytes(bytes).finish()
}
