/** What the pickle of a checkpoint can hold. Nothing here runs: a class that has no place in a state dict is a name, not an object. */
import type { Dtype } from './dtype.ts'

export type PickleValue = null | boolean | number | bigint | string | Uint8Array | PickleObject

export type PickleObject =
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleGlobal
  | PickleOpaque
  | TorchStorage
  | TorchTensor

export interface PickleList {
  readonly kind: 'list'
  readonly items: PickleValue[]
}

export interface PickleTuple {
  readonly kind: 'tuple'
  readonly items: readonly PickleValue[]
}

/** A dict or an OrderedDict. */
export interface PickleDict {
  readonly kind: 'dict'
  readonly entries: Map<PickleValue, PickleValue>
}

/** A class or function, by its name. */
export interface PickleGlobal {
  readonly kind: 'global'
  /** Module and name, e.g. `collections.OrderedDict`. */
  readonly name: string
}

/** An object of a class that is known to be harmless and not needed: what went into it is dropped. */
export interface PickleOpaque {
  readonly kind: 'opaque'
  /** Its class. */
  readonly name: string
}

/** The bytes that tensors share or have for themselves. */
export interface TorchStorage {
  readonly kind: 'storage'
  /** Names its data in the file. */
  readonly key: string
  readonly dtype: Dtype
  /** Elements of `dtype`. */
  readonly size: number
}

/** A view of a storage. */
export interface TorchTensor {
  readonly kind: 'tensor'
  readonly storage: TorchStorage
  readonly dtype: Dtype
  /** First element, in elements of `dtype` from the start of the storage. */
  readonly offset: number
  readonly shape: readonly number[]
  /** Elements from one index to the next, for each axis. */
  readonly strides: readonly number[]
}

/** How a message names a value: `a dict of 3 entries`, `None`. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  if (typeof value === 'string') return 'a text'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value !== 'object') return `${value}`.slice(0, 40)
  switch (value.kind) {
    case 'list':
    case 'tuple':
      return `a ${value.kind} of ${value.items.length} items`
    case 'dict':
      return `a dict of ${value.entries.size} entries`
    case 'global':
      return value.name
    case 'opaque':
      return `an object of ${value.name}`
    case 'storage':
    case 'tensor':
      return `a ${value.kind}`
    default:
      return value satisfies never
  }
}

export function isKind<Kind extends PickleObject['kind']>(
  value: PickleValue | undefined,
  kind: Kind,
): value is Extract<PickleObject, { kind: Kind }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind
}
