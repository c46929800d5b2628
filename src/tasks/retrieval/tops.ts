/** The best few columns of every row of a matrix that comes in blocks and is never whole in memory. */
import type { Top } from '../../generation/top.ts'

export interface Tops {
  /** Columns kept of a row. */
  readonly k: number
  /** (rows, k) Best first; of equal scores the lower column first. */
  readonly scores: Float32Array
  /** (rows, k) Columns. */
  readonly indices: Int32Array
  /** Each row on its own, sharing memory with the two above. Offer columns in ascending order: that is what breaks ties. */
  readonly rows: readonly Top[]
}

export function createTops(rows: number, k: number): Tops {
  const scores = new Float32Array(rows * k)
  const indices = new Int32Array(rows * k)
  return {
    k,
    scores,
    indices,
    rows: Array.from({ length: rows }, (_, row) => ({
      scores: scores.subarray(row * k, (row + 1) * k),
      indices: indices.subarray(row * k, (row + 1) * k),
      size: 0,
    })),
  }
}

/** (rows, columns) → (columns, rows) */
export function transposed(matrix: Float32Array, rows: number): Float32Array {
  const columns = matrix.length / rows
  const result = new Float32Array(matrix.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column]!
  }
  return result
}
