import { SessionError } from '../errors.ts'
import type { Port, Tensor, TensorData, TensorType } from './device.ts'

/** The array that holds each element type. */
const arrays = {
  float32: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<TensorType, unknown>

/** Throws a SessionError unless `feeds` are the inputs that `ports` ask for; `where` begins its message. */
export function checkFeeds(where: string, ports: readonly Port[], feeds: Readonly<Record<string, Tensor>>): void {
  const names = new Set(ports.map((port) => port.name))
  const unknown = Object.keys(feeds).find((name) => !names.has(name))
  if (unknown !== undefined) {
    throw new SessionError(`${where}: there is no input ${unknown} to feed; expected ${nameList(ports)}`)
  }
  const sizes = new Map<string, { readonly size: number; readonly name: string }>()
  for (const port of ports) {
    const tensor = feeds[port.name]
    if (!tensor) throw new SessionError(`${where}: input ${port.name} is missing; expected ${describe(port)}`)
    checkData(`${where}: input ${port.name}`, tensor)
    if (tensor.dtype !== port.dtype || !fits(tensor.shape, port.shape)) {
      throw new SessionError(`${where}: input ${port.name}: expected ${describe(port)}, found ${describe(tensor)}`)
    }
    port.shape.forEach((dim, axis) => {
      if (typeof dim === 'number' || dim === '') return
      const size = tensor.shape[axis] as number
      const first = sizes.get(dim) ?? { size, name: port.name }
      if (first.size !== size) {
        throw new SessionError(`${where}: ${dim} is ${first.size} in input ${first.name} and ${size} in ${port.name}`)
      }
      sizes.set(dim, first)
    })
  }
}

/** Same number of axes, and the same size wherever it is fixed. */
export function fits(shape: readonly number[], declared: Port['shape']): boolean {
  return shape.length === declared.length && declared.every((dim, i) => typeof dim === 'string' || dim === shape[i])
}

/** A copy that is nobody else's, of exactly these elements (the array may be a small view of a large buffer). */
export function copyTensor({
  dtype,
  shape,
  data,
}: Tensor): Tensor & { readonly data: { readonly buffer: ArrayBuffer } } {
  const Copy = arrays[dtype] as new (data: TensorData) => TensorData & { readonly buffer: ArrayBuffer }
  return { dtype, shape: [...shape], data: new Copy(data) }
}

export function isTensorType(dtype: string): dtype is TensorType {
  return Object.hasOwn(arrays, dtype)
}

/** "float32 (batch, 3, 224, 224)" */
export function describe({ dtype, shape }: Pick<Port, 'dtype' | 'shape'>): string {
  return `${dtype} (${shape.map((dim) => (dim === '' ? '?' : dim)).join(', ')})`
}

export function nameList(ports: readonly Port[]): string {
  return ports.map((port) => port.name).join(', ') || 'none'
}

function checkData(where: string, { dtype, shape, data }: Tensor): void {
  if (!isTensorType(dtype)) {
    throw new SessionError(`${where}: dtype: expected ${Object.keys(arrays).join(', ')}, found ${dtype}`)
  }
  const found = data?.[Symbol.toStringTag] // the class by name, so that an array of another realm (vm, Jest) counts too
  if (found !== arrays[dtype].name) {
    throw new SessionError(`${where}: ${dtype} data: expected ${arrays[dtype].name}, found ${found ?? typeof data}`)
  }
  const elements = shape.reduce((product, size) => product * size, 1)
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0) || data.length !== elements) {
    throw new SessionError(
      `${where}: shape (${shape.join(', ')}) does not hold the ${data.length} elements of its data`,
    )
  }
}
