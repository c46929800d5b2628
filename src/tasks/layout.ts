/** Batches in the sequence-first layout of the graphs. */
import type { Tensor } from '../runtime/device.ts'

export function float32(data: Float32Array, shape: readonly number[]): Tensor {
  return { dtype: 'float32', shape, data }
}

export function int64(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor {
  return {
    dtype: 'int64',
    shape,
    data: BigInt64Array.from({ length: values.length }, (_, i) => BigInt(values[i] as number)),
  }
}

/** 0, 1, 2, … as int64. */
export function range(length: number): Tensor {
  return int64(Array.from({ length }, (_, i) => i))
}

/** (rows, columns) → (columns, rows). */
export function transposed<T extends Int32Array | number[]>(values: T, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] as number)
}

/** Rows of logits (branches, items, vocabulary) → (items, branches, vocabulary). */
export function itemsFirst(logits: Float32Array, items: number, branches: number): Float32Array {
  if (items === 1 || branches === 1) return logits
  const vocabulary = logits.length / (items * branches)
  const out = new Float32Array(logits.length)
  for (let branch = 0; branch < branches; branch++) {
    for (let item = 0; item < items; item++) {
      const row = (branch * items + item) * vocabulary
      out.set(logits.subarray(row, row + vocabulary), (item * branches + branch) * vocabulary)
    }
  }
  return out
}

/** Tensors (n, 1, size) of single items joined to (n, items, size). */
export function joinItems(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors as [Tensor]
  if (tensors.length === 1) return first
  const [rows, , size] = first.shape as [number, number, number]
  const out = new Float32Array(rows * tensors.length * size)
  tensors.forEach((tensor, item) => {
    const data = tensor.data as Float32Array
    for (let row = 0; row < rows; row++) {
      out.set(data.subarray(row * size, (row + 1) * size), (row * tensors.length + item) * size)
    }
  })
  return float32(out, [rows, tensors.length, size])
}

/** A tensor (n, items, size) cut into single items (n, 1, size). */
export function splitItems(tensor: Tensor): Tensor[] {
  const [rows, items, size] = tensor.shape as [number, number, number]
  const data = tensor.data as Float32Array
  return Array.from({ length: items }, (_, item) => {
    const out = new Float32Array(rows * size)
    for (let row = 0; row < rows; row++) {
      out.set(data.subarray((row * items + item) * size, (row * items + item + 1) * size), row * size)
    }
    return float32(out, [rows, 1, size])
  })
}

/** A single item (n, 1, size) as (n, size). */
export function asMatrix({ shape, data }: Tensor): Tensor {
  const [rows, , size] = shape as [number, number, number]
  return float32(data as Float32Array, [rows, size])
}

/** The first rows of (n, size). */
export function firstRowsOf({ shape, data }: Tensor, rows: number): Tensor {
  const size = shape[1] as number
  return float32((data as Float32Array).slice(0, rows * size), [rows, size])
}

/** The rows of (n, size), as views. */
export function rowsOf({ shape, data }: Tensor): Float32Array[] {
  const [rows, size] = shape as [number, number]
  return Array.from({ length: rows }, (_, row) => (data as Float32Array).subarray(row * size, (row + 1) * size))
}
