/** Image files → pixels, on Node, by sharp (libvips). */
import sharp from 'sharp'
import { DataError } from '../errors.ts'
import { cmykToRgb } from './cmyk.ts'
import { describeBytes, type ImageFormat, imageFormat } from './format.ts'
import { withoutTransparency } from './gif.ts'
import { type ImageSource, readSource, sourceName } from './node-read.ts'
import type { RgbImage } from './rgb-image.ts'

export type { ImageSource } from './node-read.ts'
export type { RgbImage } from './rgb-image.ts'

export interface DecodeOptions {
  /** Turn the picture as its EXIF orientation says, as viewers do. The reference implementations do not (false). Default true. */
  readonly exif?: boolean
  /** Refuse a picture of more pixels than this before decoding it (3 bytes of memory each). Default 100 million. */
  readonly maxPixels?: number
  readonly signal?: AbortSignal
}

/**
 * The pixels of a JPEG, PNG, WebP, AVIF, GIF (first frame) or TIFF (first page) as Pillow's `convert("RGB")` gives
 * them: alpha is dropped, not blended; colour profiles are ignored; of 16 bits the upper 8 are kept.
 * Throws a DataError that names the source, or the signal's reason.
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<RgbImage> {
  const { exif = true, maxPixels = 100e6, signal } = options
  signal?.throwIfAborted()
  const name = sourceName(source)
  const bytes = await readSource(source, signal)
  const format = imageFormat(bytes)
  if (format === undefined) {
    throw new DataError(`${name}: expected a JPEG, PNG, WebP, AVIF, GIF or TIFF image, found ${describeBytes(bytes)}`)
  }
  // Like Pillow, 'error' refuses what is cut short and forgives stray bytes between the parts of a file.
  const image = sharp(format === 'GIF' ? withoutTransparency(bytes) : bytes, {
    failOn: 'error',
    ignoreIcc: true,
    autoOrient: exif || format === 'TIFF', // Pillow always turns a TIFF: its orientation is no EXIF tag
    limitInputPixels: false,
  })
  const { width, height, space, depth } = await orDataError(image.metadata(), name, format)
  checkSize(width, height, maxPixels, name)
  signal?.throwIfAborted()
  // libvips would turn CMYK into RGB through a colour profile, Pillow does it by arithmetic.
  const cmyk = space === 'cmyk' && depth === 'uchar'
  const decoding = (cmyk ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.toColourspace('srgb'))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { data, info } = await orDataError(decoding, name, format)
  signal?.throwIfAborted()
  if (info.channels !== (cmyk ? 4 : 3)) {
    throw new DataError(`${name}: expected grey, RGB or CMYK, found ${info.channels} channels; save it as an RGB image`)
  }
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length)
  return { width: info.width, height: info.height, data: cmyk ? cmykToRgb(pixels) : pixels }
}

async function orDataError<T>(work: Promise<T>, name: string, format: ImageFormat): Promise<T> {
  try {
    return await work
  } catch (error) {
    const said = (error as Error).message.replace('Input buffer has corrupt header: ', '').split('\n')[0]
    throw new DataError(`${name}: the ${format} data is damaged or cut short (${said}); copy or download it again`, {
      cause: error,
    })
  }
}

function checkSize(width: number, height: number, maxPixels: number, name: string): void {
  if (width * height <= maxPixels) return
  const counted = (pixels: number) => pixels.toLocaleString('en-US')
  throw new DataError(
    `${name}: ${width}x${height} is ${counted(width * height)} pixels, the limit is ${counted(maxPixels)}; ` +
      'shrink the image, or raise maxPixels if you trust it',
  )
}
