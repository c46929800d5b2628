/** (pixels, 4) cyan, magenta, yellow, key, 0 = no ink → (pixels, 3) RGB. Pillow 9.4 src/libImaging/Convert.c, cmyk2rgb. */
export function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3)
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    const light = 255 - cmyk[from + 3]!
    rgb[to] = light - dividedBy255(cmyk[from]! * light)
    rgb[to + 1] = light - dividedBy255(cmyk[from + 1]! * light)
    rgb[to + 2] = light - dividedBy255(cmyk[from + 2]! * light)
  }
  return rgb
}

/** Nearest integer to product / 255, by shifts. product: 0 to 255². */
function dividedBy255(product: number): number {
  const rounded = product + 128
  return ((rounded >> 8) + rounded) >> 8
}
