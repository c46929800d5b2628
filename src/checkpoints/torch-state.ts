/** The state dict in what `torch.save` saved, and its tensors as entries of a checkpoint. */
import { CheckpointError } from '../errors.ts'
import { byteLength, dtypeBits } from './dtype.ts'
import { shown } from './json.ts'
import { describe, isKind, type PickleDict, type PickleValue, type TorchTensor } from './pickle-values.ts'
import type { HeaderPlace, StoredTensor } from './safetensors.ts'
import { type StorageSpan, storageLength } from './torch.ts'

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** The entries that lead to it, joined by dots (`model`, `state_dict`); empty where the file is the state dict itself. */
  readonly wrapper: string
}

/** Where training code puts the state dict, beside optimizer and epoch: mmengine and Lightning, LAVIS, plain PyTorch. In this order. */
const wrappers = ['state_dict', 'model', 'model_state_dict']

/** Most entries that lead to a state dict; a dict that holds itself has no end of them. */
const maxWrappers = 3

/** Finds the state dict: tensors by their names, and nothing else. `where` begins every error. */
export function findStateDict(value: PickleValue, where: string): StateDict {
  const path: string[] = []
  let dict = dictOnly(value, where)
  for (;;) {
    const wrapper = wrappers.find((name) => isKind(dict.entries.get(name), 'dict'))
    if (wrapper === undefined) break
    path.push(wrapper)
    if (path.length > maxWrappers)
      throw new CheckpointError(
        `${where}: ${path.join('.')}: expected tensors, found one more dict; is it inside itself?`,
      )
    dict = dictOnly(dict.entries.get(wrapper), where)
  }
  const inside = [where, ...path].join(': ')
  const tensors = new Map<string, TorchTensor>()
  for (const [name, entry] of dict.entries) {
    if (typeof name !== 'string')
      throw new CheckpointError(`${inside}: expected the name of a tensor, found ${describe(name)}`)
    if (!isKind(entry, 'tensor'))
      throw new CheckpointError(
        `${inside}: ${shown(name)}: expected a tensor, found ${describe(entry)}; a state dict may be under ${wrappers.join(', ')}`,
      )
    tensors.set(name, entry)
  }
  if (tensors.size === 0) throw new CheckpointError(`${inside}: expected tensors, found an empty dict`)
  return { tensors, wrapper: path.join('.') }
}

/** The entry of a tensor whose storage lies at `span`. Throws CheckpointError if its values are not there in their order. */
export function storedTensor(name: string, tensor: TorchTensor, span: StorageSpan, place: HeaderPlace): StoredTensor {
  const { dtype, shape, strides, storage } = tensor
  const where = `${place.where}: ${shown(name)}`
  const length = byteLength(dtype, shape)
  if (length === undefined)
    throw new CheckpointError(`${where}: ${dtype} of shape (${shape}) is no whole number of bytes below 2^53`)
  if (!isContiguous(tensor))
    throw new CheckpointError(
      `${where}: shape (${shape}) is stored with strides (${strides}), and only row-major tensors can be used where they lie; save it again after .contiguous()`,
    )
  const start = (tensor.offset * dtypeBits[dtype]) / 8
  if (start + length > storageLength(storage))
    throw new CheckpointError(
      `${where}: bytes ${start} to ${start + length} of storage ${shown(storage.key)}, which has ${storageLength(storage)}`,
    )
  return { name, dtype, shape, file: place.file, offset: span.offset + start, length }
}

/** Row-major without gaps. The stride of an axis of one element is never used; without elements none is. */
function isContiguous({ shape, strides }: TorchTensor): boolean {
  if (shape.includes(0)) return true
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    if (size !== 1 && strides[axis] !== step) return false
    step *= size
  }
  return true
}

function dictOnly(value: PickleValue | undefined, where: string): PickleDict {
  if (isKind(value, 'dict')) return value
  throw new CheckpointError(`${where}: expected a state dict, found ${describe(value)}; save model.state_dict()`)
}
