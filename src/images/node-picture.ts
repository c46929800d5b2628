import sharp from 'sharp'
import type { RgbImage } from './rgb-image.ts'

/** Pixels of the longer side, at most. */
const shown = 240

/** A small JPEG of the picture as a data: URL, for pages that need nothing else. */
export async function pictureUrl({ data, width, height }: RgbImage): Promise<string> {
  const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(shown, shown, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 85 })
    .toBuffer()
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`
}
