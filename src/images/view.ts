/** What training shows of a picture: a part of it, perhaps mirrored (torchvision's RandomResizedCrop and RandomHorizontalFlip). */
import type { RgbImage } from './rgb-image.ts'

/** A rectangle in pixels. */
export interface View {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  /** Left and right exchanged. */
  readonly mirrored: boolean
}

export interface ViewOptions {
  /** Least and most of the picture's area, of which a part by lot is shown; absent: all of it. LAVIS's training shows 0.5 to 1. */
  readonly scale?: readonly [number, number] | undefined
  /** Mirror every other picture. */
  readonly mirror: boolean
}

/** Width to height of a part, least and most (torchvision's default, which LAVIS keeps). */
const ratios = [3 / 4, 4 / 3] as const

/**
 * A part whose area is uniform in `scale`, its ratio log-uniform, its place uniform; after ten that do not fit, the largest part in the
 * middle with a ratio in the limits. `random` gives numbers in [0, 1). Source: torchvision 0.14, RandomResizedCrop.get_params.
 */
export function randomView(random: () => number, width: number, height: number, { scale, mirror }: ViewOptions): View {
  const mirrored = mirror && random() < 0.5
  if (scale === undefined) return { left: 0, top: 0, width, height, mirrored }
  const between = (low: number, high: number) => low + (high - low) * random()
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(...scale)
    const ratio = Math.exp(between(Math.log(ratios[0]), Math.log(ratios[1])))
    const [w, h] = [Math.round(Math.sqrt(area * ratio)), Math.round(Math.sqrt(area / ratio))]
    if (w < 1 || h < 1 || w > width || h > height) continue
    const left = Math.floor(random() * (width - w + 1))
    const top = Math.floor(random() * (height - h + 1))
    return { left, top, width: w, height: h, mirrored }
  }
  const w = Math.min(width, Math.max(Math.round(height * ratios[1]), 1))
  const h = Math.min(height, Math.max(Math.round(width / ratios[0]), 1))
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h, mirrored }
}

/** The pixels of a view. Mirrored before a resize or after it is the same to the bit. */
export function cropped(image: RgbImage, { left, top, width, height, mirrored }: View): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row++) {
    const source = ((top + row) * image.width + left) * 3
    const target = row * width * 3
    if (!mirrored) data.set(image.data.subarray(source, source + width * 3), target)
    else {
      for (let column = 0; column < width; column++) {
        const from = source + (width - 1 - column) * 3
        for (let c = 0; c < 3; c++) data[target + column * 3 + c] = image.data[from + c]!
      }
    }
  }
  return { width, height, data }
}
