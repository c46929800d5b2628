/** Learned positions of another image size. Source: LAVIS 506965b, `interpolate_pos_embed` of eva_vit.py and clip_vit.py (torch bicubic). */

/**
 * Position embeddings (1 + from², width), class token first, resampled to (1 + to², width). The class token keeps its own; the
 * grid of the others is interpolated by cubic convolution (Keys 1981, a = -0.75) with repeated borders and no antialiasing.
 * `alignCorners`: the outermost samples stay where they are (LAVIS does so for CLIP); otherwise the borders of their cells do (EVA).
 */
export function interpolatePositions(
  values: Float32Array,
  { from, to, width, alignCorners }: { from: number; to: number; width: number; alignCorners: boolean },
): Float32Array {
  const point = (i: number) => (alignCorners ? (i * (from - 1)) / Math.max(to - 1, 1) : (i + 0.5) * (from / to) - 0.5)
  const taps = Array.from({ length: to }, (_, i) => cubicTaps(point(i), from))
  const out = new Float32Array((1 + to * to) * width)
  out.set(values.subarray(0, width))
  for (const [y, vertical] of taps.entries()) {
    for (const [x, horizontal] of taps.entries()) {
      const target = (1 + y * to + x) * width
      for (const { index: row, weight: byRow } of vertical) {
        for (const { index: column, weight: byColumn } of horizontal) {
          const source = (1 + row * from + column) * width
          const weight = byRow * byColumn
          for (let c = 0; c < width; c++) out[target + c]! += weight * (values[source + c] as number)
        }
      }
    }
  }
  return out
}

interface Tap {
  readonly index: number
  readonly weight: number
}

/** The four samples around a point of a row of `size` samples. */
function cubicTaps(point: number, size: number): Tap[] {
  const floor = Math.floor(point)
  return [-1, 0, 1, 2].map((offset) => ({
    index: Math.min(Math.max(floor + offset, 0), size - 1),
    weight: cubic(Math.abs(point - (floor + offset))),
  }))
}

function cubic(distance: number): number {
  const a = -0.75
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1
  return distance < 2 ? ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a : 0
}
