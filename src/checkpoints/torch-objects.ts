/**
 * The classes and functions of PyTorch that a state dict is pickled with, by their names. The list is closed: a name that is not here ends
 * the reading.
 *
 * Source: PyTorch 2.4, torch/_utils.py (`_rebuild_…`), torch/serialization.py (`persistent_id`), torch/_weights_only_unpickler.py.
 */
import { type Dtype, dtypeBits } from './dtype.ts'
import { shown } from './json.ts'
import type { Fail, PickleHost } from './pickle.ts'
import { describe, isKind, type PickleValue, type TorchStorage, type TorchTensor } from './pickle-values.ts'

/** `torch.<name>` and `torch.cuda.<name>`. */
const storageTypes: Readonly<Record<string, Dtype>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  ComplexFloatStorage: 'C64',
}

/** Bytes whose tensors say themselves what they are. */
const untypedStorage = 'torch.storage.UntypedStorage'

/** `torch.<name>`. */
const dtypes: Readonly<Record<string, Dtype>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float64: 'F64',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
  complex64: 'C64',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
  float8_e8m0fnu: 'F8_E8M0',
}

/** Functions and classes that make something a state dict needs. */
const makers: Readonly<Record<string, (args: readonly PickleValue[], fail: Fail) => PickleValue>> = {
  'collections.OrderedDict': (args, fail) => {
    if (args.length > 0) throw fail('collections.OrderedDict: expected an empty one, to be filled afterwards')
    return { kind: 'dict', entries: new Map() }
  },
  'torch.Size': ([sizes], fail) => {
    if (!isKind(sizes, 'tuple')) throw fail(`torch.Size: expected a tuple, found ${describe(sizes)}`)
    return sizes
  },
  'torch._utils._rebuild_tensor': ([storage, offset, shape, strides], fail) =>
    makeTensor(storage, offset, shape, strides, undefined, fail),
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides, , , metadata], fail) => {
    // `{"neg": True}`: the values are to be negated. Nothing of the kind is in a model.
    if (metadata !== undefined && !(isKind(metadata, 'dict') && metadata.entries.size === 0))
      throw fail('a tensor that is stored negated or conjugated; save it again after .resolve_neg().resolve_conj()')
    return makeTensor(storage, offset, shape, strides, undefined, fail)
  },
  'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, , , dtype], fail) =>
    makeTensor(storage, offset, shape, strides, dtype, fail),
  'torch._utils._rebuild_parameter': ([data], fail) => tensorOnly(data, fail),
  'torch._utils._rebuild_parameter_with_state': ([data], fail) => tensorOnly(data, fail),
}

/**
 * What stands beside the state dict in published and in training checkpoints: arguments, logs, numbers of NumPy. None is ever called,
 * `getattr` included (a log of mmengine names methods by it): an object of them is a name without content.
 */
const inert: ReadonlySet<string> = new Set([
  '__builtin__.getattr',
  'builtins.getattr',
  '_codecs.encode',
  'argparse.Namespace',
  'collections.Counter',
  'collections.defaultdict',
  'mmengine.logging.history_buffer.HistoryBuffer',
  'numpy.core.multiarray._reconstruct',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray._reconstruct',
  'numpy._core.multiarray.scalar',
  'numpy.dtype',
  'numpy.ndarray',
  'pathlib.PosixPath',
  'pathlib.WindowsPath',
  'torch.device',
])

/** Most dimensions of one tensor, as in PyTorch. */
const maxRank = 64

/** The host for one file. It keeps its storages, because all that name one must agree on it. */
export function createTorchHost(): PickleHost & { readonly storages: ReadonlyMap<string, TorchStorage> } {
  const storages = new Map<string, TorchStorage>()
  return {
    storages,
    global(name, fail) {
      const known =
        Object.hasOwn(makers, name) ||
        inert.has(name) ||
        storageDtype(name) !== undefined ||
        dtypeOf(name) !== undefined
      if (known) return { kind: 'global', name }
      throw fail(
        `${shown(name)} has no place in a state dict and is refused; save the state dict alone: torch.save(model.state_dict(), …)`,
      )
    },
    call(name, args, fail) {
      const make = Object.hasOwn(makers, name) ? makers[name] : undefined
      if (make) return make(args, fail)
      if (inert.has(name)) return { kind: 'opaque', name }
      throw fail(`${shown(name)} cannot be called`)
    },
    load(id, fail) {
      const storage = readStorage(id, fail)
      const other = storages.get(storage.key)
      if (other === undefined) storages.set(storage.key, storage)
      else if (other.dtype !== storage.dtype || other.size !== storage.size)
        throw fail(
          `storage ${shown(storage.key)} is ${storage.size} x ${storage.dtype}, and was ${other.size} x ${other.dtype} before`,
        )
      return other ?? storage
    },
  }
}

/** `('storage', type, key, location, size)`; the older format has a sixth item, a view, which is None. */
function readStorage(id: PickleValue, fail: Fail): TorchStorage {
  const [what, type, key, , size, view] = isKind(id, 'tuple') ? id.items : []
  if (what !== 'storage') throw fail(`expected a storage, found ${describe(typeof what === 'string' ? what : id)}`)
  const dtype = isKind(type, 'global') ? storageDtype(type.name) : undefined
  if (dtype === undefined) throw fail(`expected the type of a storage, found ${describe(type)}`)
  if (typeof key !== 'string') throw fail(`expected the key of a storage, found ${describe(key)}`)
  if (!isCount(size) || !Number.isSafeInteger(size * dtypeBits[dtype]))
    throw fail(`storage ${shown(key)}: expected its number of elements, found ${describe(size)}`)
  if (view !== undefined && view !== null)
    throw fail(`storage ${shown(key)} is a part of another one; save the file again with PyTorch 1.6 or later`)
  return { kind: 'storage', key, dtype, size }
}

function makeTensor(
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  dtype: PickleValue | undefined,
  fail: Fail,
): TorchTensor {
  if (!isKind(storage, 'storage')) throw fail(`a tensor without a storage, with ${describe(storage)} in its place`)
  if (!isCount(offset)) throw fail(`a tensor that starts at ${describe(offset)}, expected a number of elements`)
  const type = dtype === undefined ? storage.dtype : isKind(dtype, 'global') ? dtypeOf(dtype.name) : undefined
  if (type === undefined) throw fail(`a tensor of type ${describe(dtype)}, expected one of PyTorch's`)
  const sizes = readCounts(shape, 'shape', fail)
  const steps = readCounts(strides, 'strides', fail)
  if (sizes.length !== steps.length)
    throw fail(`a tensor of shape (${sizes}) and strides (${steps}), expected as many of both`)
  return { kind: 'tensor', storage, dtype: type, offset, shape: sizes, strides: steps }
}

function tensorOnly(value: PickleValue | undefined, fail: Fail): TorchTensor {
  if (!isKind(value, 'tensor')) throw fail(`a parameter without a tensor, with ${describe(value)} in its place`)
  return value
}

function readCounts(value: PickleValue | undefined, what: string, fail: Fail): number[] {
  if (!isKind(value, 'tuple')) throw fail(`${what} of a tensor: expected a tuple, found ${describe(value)}`)
  if (value.items.length > maxRank)
    throw fail(`${what} of a tensor: ${value.items.length} dimensions, at most ${maxRank} are possible`)
  const counts = value.items.filter(isCount)
  if (counts.length < value.items.length) {
    const wrong = value.items.find((item) => !isCount(item))
    throw fail(`${what} of a tensor: expected whole numbers from 0, found ${describe(wrong)}`)
  }
  return counts
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function storageDtype(name: string): Dtype | undefined {
  if (name === untypedStorage) return 'U8'
  const [, type = ''] = /^torch\.(?:cuda\.)?(\w+)$/.exec(name) ?? []
  return Object.hasOwn(storageTypes, type) ? storageTypes[type] : undefined
}

function dtypeOf(name: string): Dtype | undefined {
  const type = name.replace(/^torch\./, '')
  return type !== name && Object.hasOwn(dtypes, type) ? dtypes[type] : undefined
}
