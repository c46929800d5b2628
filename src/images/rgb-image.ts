import { DataError } from '../errors.ts'

/** A decoded picture. data (height, width, 3): red, green, blue, 0 to 255, rows from the top, no padding. */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

/** Throws a DataError unless `image` has at least one pixel and exactly three bytes for each. */
export function checkRgbImage({ width, height, data }: RgbImage): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new DataError(`image: expected a width and height of at least 1 pixel, found ${width}x${height}`)
  }
  if (data.length !== width * height * 3) {
    throw new DataError(
      `image: ${width}x${height} RGB needs ${width * height * 3} bytes, found ${data.length}; is there an alpha channel left?`,
    )
  }
}
