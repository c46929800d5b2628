/** A reader for what the ONNX writer writes, by the field numbers of onnx.proto (ONNX 1.17), independent of the writer. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

export interface OnnxNode {
  readonly op: string
  readonly name: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

export interface OnnxGraph {
  readonly irVersion: number
  /** Domain → version. */
  readonly opsets: Readonly<Record<string, number>>
  readonly nodes: readonly OnnxNode[]
  /** Name → its external data entries; empty when the bytes are in the model. */
  readonly initializers: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

export function readOnnx(bytes: Uint8Array): OnnxGraph {
  const model = fields(bytes)
  const graph = fields(model.bytes(7)[0]!)
  return {
    irVersion: model.number(1),
    opsets: Object.fromEntries(
      model
        .bytes(8)
        .map(fields)
        .map((opset) => [opset.text(1), opset.number(2)]),
    ),
    nodes: graph
      .bytes(1)
      .map(fields)
      .map((node) => ({
        op: node.text(4),
        name: node.text(3),
        domain: node.text(7),
        inputs: node.texts(1),
        outputs: node.texts(2),
      })),
    initializers: Object.fromEntries(
      graph
        .bytes(5)
        .map(fields)
        .map((tensor) => [
          tensor.text(8),
          Object.fromEntries(
            tensor
              .bytes(13)
              .map(fields)
              .map((entry) => [entry.text(1), entry.text(2)]),
          ),
        ]),
    ),
    inputs: graph.bytes(11).map((one) => fields(one).text(1)),
    outputs: graph.bytes(12).map((one) => fields(one).text(1)),
  }
}

/** The fields of a message by their number. */
function fields(message: Uint8Array) {
  const found: { field: number; value: Uint8Array | number }[] = []
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (type === WireType.LengthDelimited) found.push({ field, value: reader.bytes() })
    else if (type === WireType.Varint) found.push({ field, value: Number(reader.int64()) })
    else reader.skip(type)
  }
  const bytes = (field: number) =>
    found.flatMap((one) => (one.field === field && typeof one.value !== 'number' ? [one.value] : []))
  const texts = (field: number) => bytes(field).map((one) => new TextDecoder().decode(one))
  return {
    bytes,
    texts,
    text: (field: number) => texts(field)[0] ?? '',
    number: (field: number) => found.find((one) => one.field === field)?.value as number,
  }
}
