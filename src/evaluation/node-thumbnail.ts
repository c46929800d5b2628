import sharp from 'sharp'
import { decodeImage } from '../images/node.ts'

/** Pixels of the longer side, for displays of twice the density. */
const longest = 480

/** A small JPEG of an image as a data: address, for pages that stand alone. DataError for an image that cannot be read. */
export async function thumbnail(path: string): Promise<string> {
  const { width, height, data } = await decodeImage(path, { exif: false })
  const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: longest, height: longest, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 72, mozjpeg: true })
    .toBuffer()
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`
}
