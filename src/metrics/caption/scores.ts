/** A metric's value for the whole set and for each image, in the order of the images. */
export interface Scores {
  readonly corpus: number
  readonly perImage: readonly number[]
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
