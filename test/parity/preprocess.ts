/** Folder `preprocess`: photos decoded, resized and normalised. Only in trees that hold the photos, which are not ours to copy. */
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { decodeImage } from '../../src/images/node.ts'
import { pixelValues } from '../../src/images/preprocess.ts'
import { resizeBicubic } from '../../src/images/resize.ts'
import type { RgbImage } from '../../src/images/rgb-image.ts'
import { readJson, tensorOf } from '../support/reference.ts'
import type { Check } from './report.ts'

interface Photo {
  readonly file: string
  readonly decoded_rgb_sha256: string
  readonly outputs: readonly Output[]
}

interface Output {
  readonly size: number
  readonly rgb_sha256: string
  readonly first_row_first_8_pixels: readonly (readonly number[])[]
  readonly centre_row_8_pixels: readonly (readonly number[])[]
  /** File with the resized pixels. */
  readonly png?: string
  /** `file:name` of the normalised tensor. */
  readonly tensor?: string
}

export async function checkPreprocess(path: string): Promise<Check[]> {
  const folder = basename(path)
  const { images } = (await readJson(join(path, 'cases.json'))) as unknown as { images: Photo[] }
  const checks: Check[] = []
  for (const { file, decoded_rgb_sha256, outputs } of images) {
    const image = await decodeImage(join(path, file), { exif: false })
    // README of the folder: nothing may differ from equal pixels; JPEG decoders may differ by 6 of 255.
    const decodedEqual = sha256(image) === decoded_rgb_sha256
    const tolerance = decodedEqual || !/\.jpe?g$/i.test(file) ? 0 : 6
    for (const output of outputs) {
      const check = { folder, variant: basename(file), tolerance }
      const resized = resizeBicubic(image, output.size, output.size)
      const difference = await pixelDifference(path, output, resized)
      checks.push({ ...check, name: `resized to ${output.size}`, difference })
      if (output.tensor !== undefined && difference === 0) {
        const expected = await storedTensor(path, output.tensor)
        const worst = largest(pixelValues([image], output.size), expected)
        checks.push({ ...check, name: `normalised at ${output.size}`, difference: worst, tolerance: 1e-6 })
      }
    }
  }
  return checks
}

/** Largest difference of 255: over all pixels where the hash or a file tells, else over the two runs in cases.json. */
async function pixelDifference(path: string, output: Output, resized: RgbImage): Promise<number> {
  if (sha256(resized) === output.rgb_sha256) return 0
  if (output.png !== undefined) return largest(resized.data, (await decodeImage(join(path, output.png))).data)
  const { size } = output
  const row = (y: number, x: number) => resized.data.subarray((y * size + x) * 3, (y * size + x + 8) * 3)
  const runs = Math.max(
    largest(row(0, 0), output.first_row_first_8_pixels.flat()),
    largest(row(Math.floor(size / 2), Math.floor(size / 2)), output.centre_row_8_pixels.flat()),
  )
  return runs === 0 ? Number.NaN : runs // the hash says that something differs
}

async function storedTensor(path: string, place: string): Promise<Float32Array> {
  const [file, name] = place.split(':') as [string, string]
  return (await tensorOf((await openCheckpoint(join(path, file))).tensors, name)).data as Float32Array
}

function largest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.NaN
  return Array.from(found).reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0)
}

function sha256({ data }: RgbImage): string {
  return createHash('sha256').update(data).digest('hex')
}
