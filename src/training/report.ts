/** The curves of a run as one HTML page that needs nothing else. */
import { type Curve, chart, escaped, plotText } from './chart.ts'
import type { LogLine, StepLine, ValidationLine } from './log.ts'

export interface ReportInput {
  readonly title: string
  /** Settings and facts, in the order they are shown. */
  readonly facts: Readonly<Record<string, string>>
  readonly lines: readonly LogLine[]
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
  svg { width: 100%; height: auto } svg text { ${plotText} }
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
