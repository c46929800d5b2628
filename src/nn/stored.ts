import { CheckpointError } from '../errors.ts'
import { type DType, showShape, type WeightData } from '../graph/index.ts'
import { type Params, paramsFrom } from './params.ts'

/** A tensor of a checkpoint file (what `checkpoints` returns). */
export interface StoredTensor {
  readonly name: string
  /** As in safetensors: F32, F16, BF16, … */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Absolute path, symbolic links resolved. */
  readonly file: string
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly length: number
}

export interface StoredParams {
  readonly params: Params
  /**
   * To be called when the model is built.
   * @throws CheckpointError that lists the weights that are missing, have another shape or dtype, or were not used.
   */
  check(): void
}

export interface StoredParamsOptions {
  /** Other names that a weight may be stored under (tied weights, older files), tried in order. */
  readonly aliases?: Readonly<Record<string, readonly string[]>>
  /** Weights that were computed from the stored ones and take their place. */
  readonly replaced?: ReadonlyMap<string, Float32Array>
  /** Tensors of the file that the model does not need. */
  readonly unused?: (name: string) => boolean
}

const dtypes: Readonly<Record<string, DType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }

/** Why a stored tensor cannot be a weight. */
export type Misfit<T> =
  | { readonly problem: 'missing' }
  | { readonly problem: 'mistyped' | 'misshapen'; readonly stored: T }

/** The tensor stored under the first of `names` that is there, if its dtype and shape make it the weight. */
export function findWeight<T extends Pick<StoredTensor, 'dtype' | 'shape'>>(
  tensors: ReadonlyMap<string, T>,
  names: readonly string[],
  shape: readonly number[],
): { readonly stored: T; readonly dtype: DType } | Misfit<T> {
  const stored = names.map((name) => tensors.get(name)).find((tensor) => tensor !== undefined)
  if (!stored) return { problem: 'missing' }
  const dtype = dtypes[stored.dtype]
  if (!dtype) return { problem: 'mistyped', stored }
  const fits = stored.shape.length === shape.length && stored.shape.every((dim, i) => dim === shape[i])
  return fits ? { stored, dtype } : { problem: 'misshapen', stored }
}

/** Params that lie in checkpoint files: no byte of them is read here. */
export function storedParams(
  tensors: ReadonlyMap<string, StoredTensor>,
  options: StoredParamsOptions = {},
): StoredParams {
  const used = new Set<string>()
  const problems: string[] = []
  const params = paramsFrom((name, shape): WeightData | undefined => {
    const names = [name, ...(options.aliases?.[name] ?? [])]
    for (const one of names) used.add(one)
    const values = options.replaced?.get(name)
    if (values) {
      const count = shape.reduce((n, dim) => n * dim, 1)
      if (values.length === count) return { kind: 'memory', values }
      problems.push(`${name}: ${values.length} values take its place, the model needs ${showShape(shape)}`)
      return undefined
    }
    const found = findWeight(tensors, names, shape)
    if ('problem' in found) {
      problems.push(describeMisfit(name, shape, found))
      return undefined
    }
    const { file, offset, length } = found.stored
    return { kind: 'file', dtype: found.dtype, file, offset, length }
  })
  return {
    params,
    check() {
      const extra = [...tensors.keys()].filter((name) => !used.has(name) && !options.unused?.(name))
      const all = [...problems, ...extra.map((name) => `${name} is not part of the model`)]
      if (all.length === 0) return
      const shown = all.slice(0, 8).join('\n  ')
      const more = all.length > 8 ? `\n  and ${all.length - 8} more` : ''
      throw new CheckpointError(
        `${all.length} tensors do not fit the configuration:\n  ${shown}${more}\nIs config.json that of this checkpoint?`,
      )
    },
  }
}

/** `name (2, 3): shape (3, 2), …`: a line of an error. */
export function describeMisfit(
  name: string,
  shape: readonly number[],
  misfit: Misfit<Pick<StoredTensor, 'dtype' | 'shape'>>,
): string {
  switch (misfit.problem) {
    case 'missing':
      return `${name} ${showShape(shape)} is missing`
    case 'mistyped':
      return `${name}: dtype ${misfit.stored.dtype}, expected F32, F16 or BF16`
    case 'misshapen':
      return `${name}: shape ${showShape(misfit.stored.shape)}, the model needs ${showShape(shape)}`
  }
}
