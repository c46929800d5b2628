/**
 * Pixels → the encoder's input, as in LAVIS `BlipImageEvalProcessor`: resize to a square without crop, scale to 0..1,
 * normalise with CLIP's statistics.
 */
import { resizeBicubic } from './resize.ts'
import type { RgbImage } from './rgb-image.ts'
import { cropped, type View } from './view.ts'

/** Mean and standard deviation of red, green, blue over CLIP's training images, in units of 1. */
const clipMean = [0.48145466, 0.4578275, 0.40821073] as const
const clipStd = [0.26862954, 0.26130258, 0.27577711] as const

/** normalised[channel][byte], in float32 steps like torchvision's ToTensor and Normalize: ((x / 255) - mean) / std. */
const normalised = clipMean.map((mean, channel) =>
  Float32Array.from({ length: 256 }, (_, byte) =>
    Math.fround(Math.fround(Math.fround(byte / 255) - Math.fround(mean)) / Math.fround(clipStd[channel]!)),
  ),
)

/**
 * pixel_values (batch, 3, size, size) of `images`, in their order. size: pixels, from the checkpoint's config. `views`: what is shown of
 * each; all of it when absent.
 */
export function pixelValues(images: readonly RgbImage[], size: number, views?: readonly View[]): Float32Array {
  const values = new Float32Array(images.length * 3 * size * size)
  images.forEach((image, index) => {
    const shown = views ? cropped(image, views[index]!) : image
    writeNormalised(values.subarray(index * 3 * size * size), resizeBicubic(shown, size, size).data)
  })
  return values
}

/** (pixels, 3) bytes → (3, pixels) floats. */
function writeNormalised(planes: Float32Array, pixels: Uint8Array): void {
  const count = pixels.length / 3
  normalised.forEach((table, channel) => {
    for (let i = 0; i < count; i++) planes[channel * count + i] = table[pixels[i * 3 + channel]!]!
  })
}

/** The picture behind pixel values (3, size, size), as it was shown to the model. */
export function denormalised(values: Float32Array, size: number): RgbImage {
  const count = size * size
  const data = new Uint8Array(count * 3)
  clipMean.forEach((mean, channel) => {
    for (let i = 0; i < count; i++) {
      const value = 255 * (values[channel * count + i]! * clipStd[channel]! + mean)
      data[i * 3 + channel] = Math.min(Math.max(Math.round(value), 0), 255)
    }
  })
  return { width: size, height: size, data }
}
