import { type Axis, escaped, frame, inkOf } from '../../src/training/chart.ts'

/** Groups of bars, one ink for each of `series`; `values` are of each group in the order of the series. */
export interface Bars {
  readonly series: readonly string[]
  readonly groups: readonly { readonly name: string; readonly values: readonly number[] }[]
  readonly y: Required<Axis>
  /** Of the horizontal axis. */
  readonly x?: string
}

/** Bars that stand on the least value of `y`, each with its value above it. */
export function barChart({ series, groups, y, x }: Bars): string {
  const { left, right, bottom, py, svg } = frame(y.range, { y, ...(x !== undefined && { x: { name: x } }) }, series)
  const room = (right - left) / groups.length
  const width = (0.7 * room) / series.length
  const drawn = groups.map(({ name, values }, group) => {
    const middle = left + (group + 0.5) * room
    const bars = values.map((value, i) => {
      const [at, top] = [middle + (i - series.length / 2) * width, py(value)]
      return (
        `<rect x="${at.toFixed(1)}" y="${top.toFixed(1)}" width="${(0.92 * width).toFixed(1)}" ` +
        `height="${(bottom - top).toFixed(1)}" fill="${inkOf(i)}"/>` +
        `<text x="${(at + 0.46 * width).toFixed(1)}" y="${(top - 4).toFixed(1)}" text-anchor="middle">${value.toFixed(1)}</text>`
      )
    })
    return `${bars.join('')}<text x="${middle.toFixed(1)}" y="${bottom + 20}" text-anchor="middle">${escaped(name)}</text>`
  })
  return svg(drawn.join(''))
}
