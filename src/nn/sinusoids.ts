/** Positions as waves: how tables of learned positions begin (Vaswani et al. 2017, section 3.5). */

/**
 * (count, size) with a mean square of 1: each pair of columns is sine and cosine of the row, at wavelengths from `shortest` to `shortest`·count. Rows
 * that are equally far apart then have equal products, so that "the one before" is the same for every row, which a table of unrelated
 * numbers has to learn for each.
 */
export function sinusoids(count: number, size: number, shortest = 2 * Math.PI): Float32Array {
  const table = new Float32Array(count * size)
  const perRow = (2 * Math.PI) / shortest
  for (let row = 0; row < count; row++) writeWaves(table, row * size, size, perRow * row, count)
  return table
}

/** (1 + side², size) for a class token, which has no place, and a square of patches, row by row: half of the columns tell the row, half the column. */
export function gridSinusoids(side: number, size: number): Float32Array {
  const table = new Float32Array((1 + side * side) * size)
  const half = Math.floor(size / 2)
  for (let patch = 0; patch < side * side; patch++) {
    const at = (1 + patch) * size
    writeWaves(table, at, half, Math.floor(patch / side), side)
    writeWaves(table, at + half, size - half, patch % side, side)
  }
  return table
}

function writeWaves(table: Float32Array, at: number, size: number, position: number, count: number): void {
  for (let column = 0; column < size; column++) {
    const angle = position * count ** (-(column - (column % 2)) / size)
    table[at + column] = Math.SQRT2 * (column % 2 === 0 ? Math.sin(angle) : Math.cos(angle))
  }
}
