/**
 * Parts of a set of images that are scored too, each a list of images by place, at least one: NoCaps's domains. They are no sets of their
 * own: an image keeps the CIDEr that it has in the whole set (docs/decisions/0012-metrics.md says why).
 */
export type Parts = readonly (readonly number[])[]

/** The places in `values` of each different value, in the order in which they first come: `Parts` from the domain of each image. */
export function placesOf(values: readonly string[]): Map<string, readonly number[]> {
  const places = new Map<string, number[]>()
  values.forEach((value, i) => {
    const list = places.get(value)
    if (list === undefined) places.set(value, [i])
    else list.push(i)
  })
  return places
}

/** A metric's value for the whole set, for each image in the order of the images, and for each part. */
export interface Scores {
  readonly corpus: number
  readonly perImage: readonly number[]
  readonly parts: readonly number[]
}

/** Of a metric whose value for several images is the mean. */
export function meanScores(perImage: readonly number[], parts: Parts): Scores {
  return { corpus: mean(perImage), perImage, parts: parts.map((places) => mean(places.map((i) => perImage[i]!))) }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
