/** The pictures that Pillow made, see fixtures/README.md. */
import { join } from 'node:path'
import { decodeImage, type RgbImage } from '../../src/images/node.ts'
import { repositoryRoot } from '../support/paths.ts'

export const fixturesDir = join(repositoryRoot, 'test', 'images', 'fixtures')

export const fixture = (name: string): string => join(fixturesDir, name)

export const pixels = (name: string): Promise<RgbImage> => decodeImage(fixture(name), { exif: false })

/** Largest difference of two pictures' values, and how many differ. Throws if the sizes do. */
export function compare(a: RgbImage, b: RgbImage): { largest: number; differing: number } {
  if (a.width !== b.width || a.height !== b.height) {
    throw new Error(`${a.width}x${a.height} is not ${b.width}x${b.height}`)
  }
  const differences = a.data.map((value, i) => Math.abs(value - b.data[i]!)).filter((difference) => difference > 0)
  return { largest: differences.reduce((most, d) => Math.max(most, d), 0), differing: differences.length }
}
