/**
 * A GIF whose first frame shows the colour of its transparent pixels. Dropping the alpha channel should leave the
 * palette's colour, as Pillow does; libvips has already replaced it by black when it hands the pixels over. Clearing
 * the transparency flag of the first graphic control extension (GIF89a, section 23) keeps it.
 */
export function withoutTransparency(gif: Uint8Array): Uint8Array {
  const paletteFlags = gif[10] ?? 0
  let at = 13 + (paletteFlags & 0x80 ? 3 << ((paletteFlags & 7) + 1) : 0)
  while (gif[at] === 0x21) {
    if (gif[at + 1] === 0xf9) {
      const copy = Uint8Array.from(gif)
      copy[at + 3]! &= ~1
      return copy
    }
    at = afterSubBlocks(gif, at + 2)
  }
  return gif
}

/** Data sub-blocks: a length byte and so many bytes, until a length of 0. Beyond the end it stops too. */
function afterSubBlocks(gif: Uint8Array, at: number): number {
  while (gif[at]) at += gif[at]! + 1
  return at + 1
}
