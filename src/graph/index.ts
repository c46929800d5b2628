export { type DType, onnxDtypes } from './dtype.ts'
export type { Resolve, Target } from './forms.ts'
export { plainForm, withFusedForm } from './forms.ts'
export { float, int, ints, layer, multiNode, node, text, withInputs } from './node.ts'
export { type OnnxModel, toOnnx } from './onnx.ts'
export {
  addDims,
  broadcastShapes,
  describe,
  elementCount,
  frontAxis,
  multiplyDims,
  shapeError,
  showShape,
} from './shape.ts'
export type { Attribute, Dim, Gradient, Layer, Node, Shape, Value, WeightData } from './value.ts'
export { constant, identity, input, int64s, label, parameter, scalar } from './value.ts'
export { labelled, reachable } from './walk.ts'
