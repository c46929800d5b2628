/** The report as a page that stands alone: no script, no address outside, every text escaped. */
import type { FileDigest } from './node-fingerprint.ts'
import type { Report, ScoreRow } from './report.ts'

export interface PageExample {
  /** A data: address; undefined where the image cannot be shown. */
  readonly image: string | undefined
  /** The file. */
  readonly name: string
  readonly question?: string
  readonly prediction: string
  readonly references: readonly string[]
  /** With its unit or name, e.g. `CIDEr 84.2`. */
  readonly score?: string
}

export interface PageGroup {
  readonly title: string
  readonly examples: readonly PageExample[]
}

export function reportPage(report: Report, groups: readonly PageGroup[]): string {
  const { title, split, preset, model, partial, note, unreadable } = report
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(`${title}: ${model}`)}</title>
<style>${style}</style>
<header>
<h1>${escaped(title)}</h1>
<p class="what"><b>${escaped(model)}</b> · split <b>${escaped(split)}</b> · preset <b>${escaped(preset)}</b></p>
${partial.length === 0 ? '' : `<p class="warning"><b>Partial:</b> ${escaped(partial.join('; '))}. These scores cannot be compared with others.</p>`}
${note === undefined ? '' : `<p class="note">${escaped(note)}</p>`}
</header>
<main>
<section>
<h2>Scores</h2>
${scoreTable(report)}
${typeTable(report)}
</section>
${groups.map(groupSection).join('\n')}
${unreadable.length === 0 ? '' : `<section><h2>Images that cannot be read</h2>${table(unreadable.map(({ image, reason }) => [image, reason]))}</section>`}
<section>
<h2>How it was measured</h2>
<h3>Settings</h3>
${table(Object.entries(report.settings).map(([name, value]) => [name, shown(value)]))}
<h3>Versions</h3>
${table(Object.entries(report.versions))}
<h3>Run</h3>
${table(runRows(report))}
<h3>Files (SHA-256)</h3>
${table([['configuration', report.files.configuration], ...fileRows(report.files.annotations), ...fileRows(report.files.model)])}
<p class="note">Of weight files, the digest is of their size and of 64 blocks spread over them.</p>
</section>
</main>
</html>
`
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function scoreTable({ scorable, scores, source }: Report): string {
  const row = ({ metric, measured, published, difference }: ScoreRow) =>
    `<tr><th>${escaped(metric)}</th><td>${number(measured)}</td><td>${number(published)}</td><td>${number(difference, '+')}</td></tr>`
  const published = source === undefined ? '' : `<p class="note">Published: ${escaped(source)}.</p>`
  const server = 'The answers of this split are not public: its server scores <code>results.json</code>.'
  return `${scorable ? '' : `<p>${server}</p>`}<table class="scores">
<thead><tr><th></th><th>measured</th><th>published</th><th>difference</th></tr></thead>
<tbody>${scores.map(row).join('\n')}</tbody></table>${published}`
}

function typeTable({ perType }: Report): string {
  if (!perType) return ''
  const rows = Object.entries(perType).map(
    ([type, score]) => `<tr><th>${escaped(type)}</th><td>${number(score)}</td></tr>`,
  )
  return `<h3>By type of question</h3><table class="scores"><tbody>${rows.join('\n')}</tbody></table>`
}

function number(value: number | null, sign: '' | '+' = ''): string {
  if (value === null) return '–'
  const text = Math.abs(value).toFixed(2)
  return value < 0 && Number(text) !== 0 ? `−${text}` : `${sign}${text}`
}

function groupSection({ title, examples }: PageGroup): string {
  return `<section>
<h2>${escaped(title)} examples</h2>
<div class="examples">
${examples.map(card).join('\n')}
</div>
</section>`
}

function card({ image, name, question, prediction, references, score }: PageExample): string {
  const picture =
    image === undefined ? '<div class="none">no picture</div>' : `<img src="${escaped(image)}" alt="${escaped(name)}">`
  return `<figure>
${picture}
<figcaption>
${score === undefined ? '' : `<span class="score">${escaped(score)}</span>`}
${question === undefined ? '' : `<p class="question">${escaped(question)}</p>`}
<p class="prediction">${prediction === '' ? '<i>(nothing)</i>' : escaped(prediction)}</p>
<ul>${counted(references)
    .map((text) => `<li>${escaped(text)}</li>`)
    .join('')}</ul>
<p class="name">${escaped(name)}</p>
</figcaption>
</figure>`
}

/** Each different text once, with how often it is there. */
function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1]).map(([text, count]) => (count === 1 ? text : `${text} × ${count}`))
}

function runRows({ samples, seconds, written }: Report): [string, string][] {
  return [
    ['samples', `${shown(samples.scored)} of ${shown(samples.all)}`],
    ['time of the last run', `${seconds.toFixed(1)} s`],
    ['written', written],
  ]
}

function fileRows(files: readonly FileDigest[]): [string, string][] {
  return files.map(({ name, bytes, sha256 }) => [`${name}, ${shown(bytes)} bytes`, sha256])
}

function shown(value: unknown): string {
  return typeof value === 'number'
    ? value.toLocaleString('en-US')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
}

function table(rows: readonly (readonly string[])[]): string {
  const row = ([name = '', value = '']: readonly string[]) =>
    `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`
  return `<table class="facts">${rows.map(row).join('\n')}</table>`
}

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: light-dark(#0b57a4, #8fc1f5); }
body { max-width: 72rem; margin: 0 auto; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 2.2rem 0 .8rem; font-size: 1.25rem; }
h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
p { margin: .3rem 0; }
.note, .name { opacity: .75; font-size: .85rem; }
.warning { padding: .6rem .9rem; border-left: 4px solid #d08700; background: #d0870022; }
table { border-collapse: collapse; }
th { text-align: left; font-weight: 500; }
td, th { padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.scores td, .scores thead th { text-align: right; font-variant-numeric: tabular-nums; }
.scores td:nth-child(2) { font-weight: 650; }
.scores :is(td, th):last-child { padding-right: 0; }
.facts { width: 100%; font-size: .85rem; }
.facts td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
figure img, .none { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: var(--soft); }
.none { display: grid; place-items: center; opacity: .6; }
figcaption { padding: .6rem .8rem .7rem; }
.score { float: right; margin-left: .6rem; padding: 0 .5rem; border-radius: 1rem; background: var(--soft); font-size: .85rem; }
.question { font-style: italic; }
.prediction { font-weight: 650; color: var(--accent); }
figcaption ul { margin: .4rem 0; padding-left: 1.1rem; font-size: .85rem; }
.name { overflow-wrap: anywhere; }
`
