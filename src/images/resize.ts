/**
 * Pillow's bicubic resize, bit for bit: its fixed-point arithmetic is part of what the published models were trained on.
 * Source: Pillow 9.4 src/libImaging/Resample.c (precompute_coeffs, normalize_coeffs_8bpc, ImagingResample*_8bpc).
 */
import { DataError } from '../errors.ts'
import { checkRgbImage, type RgbImage } from './rgb-image.ts'

/** Weights are integers in units of 2^-22: 32 bits less 8 for the value and 2 for overshoot. */
const weightBits = 22

/** Input pixels and weights of every output pixel along one axis. */
interface Taps {
  /** First input pixel of output pixel i. */
  readonly start: Int32Array
  /** How many input pixels output pixel i reads. */
  readonly count: Int32Array
  /** Weight j of output pixel i, at i * room + j. */
  readonly weights: Int32Array
  readonly room: number
}

/** Where a pass finds its pixels: a line is a row in the horizontal pass, a column in the vertical one. Units: bytes. */
interface Layout {
  readonly data: Uint8ClampedArray
  readonly lineStep: number
  readonly pixelStep: number
}

/** `image` squeezed or stretched to width x height pixels (no crop), with antialiasing. The same size gives a copy. */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  checkRgbImage(image)
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new DataError(`resize: expected a size of at least 1x1 pixels, found ${width}x${height}`)
  }
  const { buffer, byteOffset, length } = image.data
  const pixels = new Uint8ClampedArray(buffer, byteOffset, length)
  const narrowed = image.width === width ? pixels : resizeRows(pixels, image.width, width, image.height)
  const data = image.height === height ? narrowed.slice() : resizeColumns(narrowed, image.height, height, width)
  return { width, height, data: new Uint8Array(data.buffer) }
}

/** (height, fromWidth, 3) → (height, width, 3). */
function resizeRows(pixels: Uint8ClampedArray, fromWidth: number, width: number, height: number) {
  const data = new Uint8ClampedArray(height * width * 3)
  const from = { data: pixels, lineStep: fromWidth * 3, pixelStep: 3 }
  resizeLines(from, { data, lineStep: width * 3, pixelStep: 3 }, height, bicubicTaps(fromWidth, width))
  return data
}

/** (fromHeight, width, 3) → (height, width, 3). */
function resizeColumns(pixels: Uint8ClampedArray, fromHeight: number, height: number, width: number) {
  const data = new Uint8ClampedArray(height * width * 3)
  const from = { data: pixels, lineStep: 3, pixelStep: width * 3 }
  resizeLines(from, { data, lineStep: 3, pixelStep: width * 3 }, width, bicubicTaps(fromHeight, height))
  return data
}

/** One pass over all lines. Sums are 32-bit integers; writing to the clamped array does the clipping to 0..255. */
function resizeLines(from: Layout, to: Layout, lines: number, taps: Taps): void {
  const { data: input, lineStep, pixelStep } = from
  const { data: output } = to
  const { start, count, weights, room } = taps
  const half = 1 << (weightBits - 1)
  for (let line = 0; line < lines; line++) {
    let target = line * to.lineStep
    for (let i = 0; i < start.length; i++, target += to.pixelStep) {
      let red = half
      let green = half
      let blue = half
      let source = line * lineStep + start[i]! * pixelStep
      const end = i * room + count[i]!
      for (let tap = i * room; tap < end; tap++, source += pixelStep) {
        const weight = weights[tap]!
        red = (red + Math.imul(input[source]!, weight)) | 0
        green = (green + Math.imul(input[source + 1]!, weight)) | 0
        blue = (blue + Math.imul(input[source + 2]!, weight)) | 0
      }
      output[target] = red >> weightBits
      output[target + 1] = green >> weightBits
      output[target + 2] = blue >> weightBits
    }
  }
}

/** The window of each output pixel is 2 input pixels to either side, widened by the shrink factor; weights sum to 1. */
function bicubicTaps(fromSize: number, toSize: number): Taps {
  const scale = fromSize / toSize
  const filterScale = Math.max(scale, 1)
  const support = 2 * filterScale
  const room = Math.ceil(support) * 2 + 1
  const taps = {
    start: new Int32Array(toSize),
    count: new Int32Array(toSize),
    weights: new Int32Array(toSize * room),
    room,
  }
  const exact = new Float64Array(room)
  for (let i = 0; i < toSize; i++) {
    const centre = (i + 0.5) * scale
    const first = Math.max(Math.trunc(centre - support + 0.5), 0)
    const count = Math.min(Math.trunc(centre + support + 0.5), fromSize) - first
    let sum = 0
    for (let j = 0; j < count; j++) {
      const weight = bicubic((j + first - centre + 0.5) * (1 / filterScale))
      exact[j] = weight
      sum += weight
    }
    taps.start[i] = first
    taps.count[i] = count
    for (let j = 0; j < count; j++) taps.weights[i * room + j] = fixedPoint(exact[j]! / sum)
  }
  return taps
}

/** Keys' cubic convolution with a = -0.5 (torch uses -0.75). x: distance in (widened) pixels. */
function bicubic(x: number): number {
  const a = -0.5
  const d = Math.abs(x)
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a
  return 0
}

/** To the nearest integer, halves away from zero. */
function fixedPoint(weight: number): number {
  return Math.trunc(weight * (1 << weightBits) + (weight < 0 ? -0.5 : 0.5))
}
