/** Plots as SVG: a frame with two axes, and curves in it. */

export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  /** For what others are compared with. */
  readonly dashed?: boolean
}

export interface Axis {
  readonly name?: string
  /** Least and largest value; default: those of the points. */
  readonly range?: readonly [low: number, high: number]
}

export interface Axes {
  readonly x?: Axis
  readonly y?: Axis
}

export const inks: readonly string[] = ['#1b6ca8', '#c8553d', '#588157', '#8d6a9f', '#b08900', '#444']

/** CSS of the texts in a plot. */
export const plotText = 'font: 11px system-ui, sans-serif; fill: #555'

/** Where things are in a plot, in its own pixels. */
export interface Frame {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
  readonly py: (y: number) => number
  /** The whole plot, with `content` over the grid. */
  readonly svg: (content: string) => string
}

const size = { width: 900, height: 260, left: 60, right: 110, top: 10, bottom: 30 }
const parts = [0, 0.25, 0.5, 0.75, 1]

/** Horizontal lines with their values, the names of the axes, and to the right `legend`, one ink each. */
export function frame([y0, y1]: readonly [number, number], { x, y }: Axes, legend: readonly string[]): Frame {
  const { width, height } = size
  const [left, right] = [size.left, width - size.right]
  const top = size.top + (y?.name === undefined ? 0 : 18)
  const bottom = height - size.bottom - (x?.name === undefined ? 0 : 16)
  const py = (value: number) => bottom - ((value - y0) / (y1 - y0)) * (bottom - top)
  const grid = parts.map((part) => {
    const value = y0 + part * (y1 - y0)
    return (
      `<line x1="${left}" x2="${right}" y1="${py(value)}" y2="${py(value)}" stroke="#eee"/>` +
      `<text x="${left - 6}" y="${py(value) + 4}" text-anchor="end">${shownNumber(value)}</text>`
    )
  })
  const names = [
    ...(y?.name === undefined ? [] : [`<text x="8" y="14">${escaped(y.name)}</text>`]),
    ...(x?.name === undefined
      ? []
      : [`<text x="${(left + right) / 2}" y="${height - 8}" text-anchor="middle">${escaped(x.name)}</text>`]),
    ...legend.map(
      (name, i) => `<text x="${right + 8}" y="${top + 14 * (i + 1)}" style="fill:${inkOf(i)}">${escaped(name)}</text>`,
    ),
  ]
  const title = `<title>${escaped(y?.name ?? legend.join(', '))}</title>`
  return {
    ...{ left, right, top, bottom, py },
    svg: (content) =>
      `<svg viewBox="0 0 ${width} ${height}" role="img">${title}${grid.join('')}${content}${names.join('')}</svg>`,
  }
}

/** Curves of at most so many points have a dot at each: a line through one point is not seen, one through few hides where they are. */
const fewPoints = 12

/** Curves with two axes; values that are no numbers are left out. */
export function chart(curves: readonly Curve[], axes: Axes = {}): string {
  const shown = curves
    .map((curve) => ({ ...curve, points: curve.points.filter(([, y]) => Number.isFinite(y)) }))
    .filter(({ points }) => points.length > 0)
  const all = shown.flatMap(({ points }) => points)
  if (all.length === 0) return '<p>Nothing yet.'
  const [x0, x1] = axes.x?.range ?? rangeOf(all.map(([x]) => x))
  const names = shown.map(({ name }) => name)
  const { left, right, bottom, py, svg } = frame(axes.y?.range ?? rangeOf(all.map(([, y]) => y)), axes, names)
  const px = (x: number) => left + ((x - x0) / (x1 - x0)) * (right - left)
  const ticks = parts.map((part) => {
    const x = x0 + part * (x1 - x0)
    return `<text x="${px(x)}" y="${bottom + 20}" text-anchor="middle">${shownNumber(Math.round(x))}</text>`
  })
  const lines = shown.map(({ points, dashed }, i) => {
    const places = points.map(([x, y]) => [px(x).toFixed(1), py(y).toFixed(1)] as const)
    const dots = dashed || points.length > fewPoints ? [] : places
    return (
      dots.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${inkOf(i)}"/>`).join('') +
      `<polyline points="${places.map((place) => place.join()).join(' ')}" fill="none" stroke="${inkOf(i)}" ` +
      `stroke-width="1.5"${dashed ? ' stroke-dasharray="5 4"' : ''}/>`
    )
  })
  return svg(ticks.join('') + lines.join(''))
}

/**
 * A plot as a file of its own, with what a page gives it otherwise: the font, and a ground that dark pages do not shine through. They come behind
 * the title, which must be first.
 */
export function svgFile(plot: string): string {
  const inside = `<style>text { ${plotText} }</style><rect width="100%" height="100%" fill="#fff"/>`
  return `${plot.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"').replace('</title>', `</title>${inside}`)}\n`
}

export function inkOf(index: number): string {
  return inks[index % inks.length] as string
}

function rangeOf(values: readonly number[]): [number, number] {
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity])
  return low === high ? [low - 1, high + 1] : [low, high]
}

function shownNumber(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1)
  return String(Number(value.toPrecision(3)))
}

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] as string)
}
