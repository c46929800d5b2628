/** What a conversion writes: which tensors, made of which bytes of which files. */
import type { Dtype } from '../../checkpoints/dtype.ts'
import type { StoredTensor } from '../../checkpoints/safetensors.ts'
import { CheckpointError } from '../../errors.ts'
import { namesIn, type Origin } from '../../models/names/names.ts'
import type { Naming } from '../../models/names/table.ts'

/** Bytes of a file. */
export interface Span {
  readonly file: string
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly length: number
}

export interface PlannedTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** Bytes. */
  readonly length: number
  /** One after the other; a number stands for so many zero bytes. */
  readonly spans: readonly (Span | number)[]
}

/** A stored tensor that must be zero, because the other naming has no place for it, and how errors name it. */
export interface MustBeZero extends Span {
  readonly name: string
}

export interface Plan {
  readonly tensors: readonly PlannedTensor[]
  readonly zeros: readonly MustBeZero[]
}

/** Canonical name → the stored tensors it is made of. */
export type Source = ReadonlyMap<string, readonly [StoredTensor] | readonly [q: StoredTensor, v: StoredTensor]>

/** Looks the stored tensors of the origins up. */
export function sourceOf(origins: ReadonlyMap<string, Origin>, stored: ReadonlyMap<string, StoredTensor>): Source {
  const find = (name: string) => stored.get(name) as StoredTensor
  return new Map(
    [...origins].map(([name, origin]) => [
      name,
      origin.kind === 'stored' ? ([find(origin.name)] as const) : ([find(origin.q), find(origin.v)] as const),
    ]),
  )
}

/** The tensors of `source` in another naming. Throws CheckpointError where they cannot be. */
export function makePlan(source: Source, to: Naming, languageModel: 'opt' | 't5' | undefined): Plan {
  const zeros: MustBeZero[] = []
  const tensors: PlannedTensor[] = []
  for (const [name, piece] of namesIn(to, [...source.keys()], languageModel)) {
    const stored = source.get(piece.name) as readonly StoredTensor[]
    const [first, second] = stored as readonly [StoredTensor, StoredTensor?]
    if (piece.third === undefined) {
      tensors.push(second ? joined(name, first, second) : { ...whole(first), name })
    } else if (second) {
      tensors.push({ ...whole(piece.third === 'q' ? first : second), name })
    } else {
      const { q, k, v } = thirds(first)
      tensors.push({ ...(piece.third === 'q' ? q : v), name })
      if (piece.third === 'q') zeros.push(k)
    }
  }
  return { tensors, zeros }
}

function whole({ name, dtype, shape, file, offset, length }: StoredTensor): PlannedTensor {
  return { name, dtype, shape, length, spans: [{ file, offset, length }] }
}

/** [q, 0, v] */
function joined(name: string, q: StoredTensor, v: StoredTensor): PlannedTensor {
  if (q.dtype !== v.dtype || q.shape.length !== 1 || q.shape.join() !== v.shape.join())
    throw new CheckpointError(
      `${q.name}, ${v.name}: expected two vectors of one type and size, found ${q.dtype} (${q.shape}) and ${v.dtype} (${v.shape})`,
    )
  const spans = [...whole(q).spans, q.length, ...whole(v).spans]
  return { name, dtype: q.dtype, shape: [3 * (q.shape[0] as number)], length: 3 * q.length, spans }
}

function thirds(stored: StoredTensor): { q: PlannedTensor; k: MustBeZero; v: PlannedTensor } {
  const { name, dtype, shape, file, offset } = stored
  const size = (shape[0] ?? 0) / 3
  if (shape.length !== 1 || !Number.isSafeInteger(size))
    throw new CheckpointError(`${name}: expected [q, k, v] in one vector, found shape (${shape})`)
  const length = stored.length / 3
  const third = (i: number): PlannedTensor => ({
    name,
    dtype,
    shape: [size],
    length,
    spans: [{ file, offset: offset + i * length, length }],
  })
  return { q: third(0), k: { name, file, offset: offset + length, length }, v: third(2) }
}

/** Shards of at most `size` bytes of tensors each, in the given order; a tensor that is larger has one to itself. */
export function splitShards(tensors: readonly PlannedTensor[], size: number): PlannedTensor[][] {
  const shards: PlannedTensor[][] = []
  let room = 0
  for (const tensor of tensors) {
    if (shards.length === 0 || tensor.length > room) {
      shards.push([])
      room = size
    }
    shards.at(-1)?.push(tensor)
    room -= tensor.length
  }
  return shards
}
