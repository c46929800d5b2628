/** What a file is, by its first bytes: names lie, and a decoder should never see a format that it was not meant for. */

export type ImageFormat = 'AVIF' | 'GIF' | 'JPEG' | 'PNG' | 'TIFF' | 'WebP'

/** First bytes as Latin-1 text; the dot stands for control characters. */
const signatures: readonly (readonly [ImageFormat, RegExp])[] = [
  ['JPEG', /^\xff\xd8\xff/],
  ['PNG', /^\x89PNG\r\n.\n/s],
  ['WebP', /^RIFF....WEBP/s],
  ['AVIF', /^....ftyp.*avi[fs]/s],
  ['GIF', /^GIF8[79]a/],
  ['TIFF', /^(?:II[*+].|MM.[*+])/s],
]

/** What people try that is not supported, for the error message only. */
const others: readonly (readonly [string, RegExp])[] = [
  ['a HEIC photo', /^....ftyp(?:hei|hev|mif1|msf1)/s],
  ['a video', /^....ftyp/s],
  ['a PDF', /^%PDF/],
  ['an SVG drawing', /^\s*<svg|^<\?xml.*<svg/s],
  ['a JPEG XL image', /^(?:\xff\n|....JXL )/s],
  ['a BMP image', /^BM.{4}[^\w]{4}/s],
]

/** The format that `bytes` begin like, or undefined if it is none of the six. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const head = latin1(bytes.subarray(0, 64))
  return signatures.find(([, pattern]) => pattern.test(head))?.[0]
}

/** Words for bytes that are no supported image: `a HEIC photo`, `text ("<!DOCTYPE html>")`, `unknown data (00 01 02 …)`. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file'
  const head = bytes.subarray(0, 64)
  const text = latin1(head)
  const other = others.find(([, pattern]) => pattern.test(text))
  if (other !== undefined) return other[0]
  if (head.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13)) {
    return `text (${JSON.stringify(
      new TextDecoder()
        .decode(head)
        .trim()
        .split(/[\r\n]/)[0]
        ?.slice(0, 40),
    )})`
  }
  return `unknown data (${Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ')} …)`
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
