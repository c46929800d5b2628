/** The curves of a run as one HTML page that needs nothing else. */
import type { LogLine, StepLine, ValidationLine } from './log.ts'

export interface ReportInput {
  readonly title: string
  /** Settings and facts, in the order they are shown. */
  readonly facts: Readonly<Record<string, string>>
  readonly lines: readonly LogLine[]
}

interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export function trainingReport({ title, facts, lines }: ReportInput): string {
  const steps = lines.filter((line) => line.kind === 'step')
  const validations = lines.filter((line) => line.kind === 'validation')
  const rows = Object.entries(facts).map(([name, value]) => `<tr><th>${escaped(name)}<td>${escaped(value)}`)
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
  table { border-collapse: collapse } th { text-align: left; font-weight: 600; padding: .15rem 1.5rem .15rem 0; vertical-align: top }
  svg { width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif; fill: #555 }
  td { padding: .15rem .75rem .15rem 0; vertical-align: top } .examples { font-size: 13px } .examples tr { border-top: 1px solid #eee }
  img { width: 6rem; display: block; border: 1px solid #ddd } .reference { color: #666 } .same { color: #2e7d32; font-weight: 600 }
</style>
<h1>${escaped(title)}</h1>
<table>${rows.join('\n')}</table>
<h2>Loss</h2>
${chart(lossCurves(steps, validations))}
<h2>Learning rate</h2>
${chart([{ name: 'learning rate', points: steps.map((line) => [line.step, line.learning_rate]) }])}
<h2>Norm of the gradient</h2>
${chart([{ name: 'norm', points: steps.map((line) => [line.step, line.gradient_norm]) }])}
<h2>Samples a second</h2>
${chart([{ name: 'samples/s', points: steps.map((line) => [line.step, line.samples_per_second]) }])}
${exampleTable(validations.filter(({ examples }) => examples.length > 0))}
</html>
`
}

function lossCurves(steps: readonly StepLine[], validations: readonly ValidationLine[]): Curve[] {
  const parts = Object.keys(steps.at(-1)?.parts ?? {})
  return [
    { name: 'loss', points: steps.map((line) => [line.step, line.loss]) },
    ...(parts.length > 1
      ? parts.map((name) => ({
          name: name.replace('loss_', ''),
          points: steps.map((line) => [line.step, line.parts[name] ?? Number.NaN] as const),
        }))
      : []),
    { name: 'validation', points: validations.map((line) => [line.step, line.loss]) },
  ]
}

/** Checkpoints whose examples are shown. */
const mostColumns = 6

/** What was said of each picture, from the first checkpoint to the last. */
function exampleTable(validations: readonly ValidationLine[]): string {
  const last = validations.at(-1)
  if (!last) return ''
  const columns = Math.min(mostColumns, validations.length)
  const shown = Array.from(
    { length: columns },
    (_, i) => validations[Math.round((i * (validations.length - 1)) / Math.max(1, columns - 1))] as ValidationLine,
  )
  const head = ['picture', 'reference', ...shown.map(({ step }) => `after ${step} steps`)]
  const rows = last.examples.map(({ picture, question, reference }, row) => {
    const said = shown.map(({ examples }) => examples[row]?.said ?? '')
    const cells = said.map((words) => `<td${words === reference ? ' class="same"' : ''}>${escaped(words)}`)
    return `<tr><td><img src="${escaped(picture)}" alt=""><td class="reference">${question === undefined ? '' : `${escaped(question)} `}${escaped(reference)}${cells.join('')}`
  })
  return `<h2>Examples</h2>
<table class="examples"><tr>${head.map((name) => `<th>${name}`).join('')}
${rows.join('\n')}</table>`
}

const size = { width: 900, height: 260, left: 60, right: 110, top: 10, bottom: 30 }
const inks = ['#1b6ca8', '#c8553d', '#588157', '#8d6a9f', '#b08900', '#444']

/** Curves over the steps with two axes; values that are no numbers are left out. */
export function chart(curves: readonly Curve[]): string {
  const shown = curves
    .map(({ name, points }) => ({ name, points: points.filter(([, y]) => Number.isFinite(y)) }))
    .filter(({ points }) => points.length > 0)
  const all = shown.flatMap(({ points }) => points)
  if (all.length === 0) return '<p>Nothing yet.'
  const range = (values: readonly number[]): [number, number] => {
    const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity])
    return low === high ? [low - 1, high + 1] : [low, high]
  }
  const [x0, x1] = range(all.map(([x]) => x))
  const [y0, y1] = range(all.map(([, y]) => y))
  const { width, height, left, right, top, bottom } = size
  const px = (x: number) => left + ((x - x0) / (x1 - x0)) * (width - left - right)
  const py = (y: number) => height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const [x, y] = [x0 + part * (x1 - x0), y0 + part * (y1 - y0)]
    return (
      `<line x1="${left}" x2="${width - right}" y1="${py(y)}" y2="${py(y)}" stroke="#eee"/>` +
      `<text x="${left - 6}" y="${py(y) + 4}" text-anchor="end">${number(y)}</text>` +
      `<text x="${px(x)}" y="${height - 10}" text-anchor="middle">${number(Math.round(x))}</text>`
    )
  })
  const lines = shown.map(({ name, points }, i) => {
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ')
    const ink = inks[i % inks.length]
    // A line through one point is not seen.
    const dots =
      points.length < 3
        ? points.map(([x, y]) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3" fill="${ink}"/>`)
        : []
    return (
      dots.join('') +
      `<polyline points="${path}" fill="none" stroke="${ink}" stroke-width="1.5"/>` +
      `<text x="${width - right + 8}" y="${top + 14 * (i + 1)}" style="fill:${ink}">${escaped(name)}</text>`
    )
  })
  return `<svg viewBox="0 0 ${width} ${height}" role="img">${grid.join('')}${lines.join('')}</svg>`
}

function number(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1)
  return String(Number(value.toPrecision(3)))
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] as string)
}
