import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PageExample, reportPage } from '../../src/evaluation/html.ts'
import type { Report } from '../../src/evaluation/report.ts'

const hostile = '<script>alert("1 & \'2\'")</script>'
const report: Report = {
  benchmark: 'vqav2',
  title: `VQA ${hostile}`,
  split: 'val',
  preset: 'paper',
  note: hostile,
  model: hostile,
  scorable: true,
  scores: [
    { metric: 'overall', measured: 53.414, published: 53.5, difference: 53.414 - 53.5 },
    { metric: hostile, measured: 1, published: null, difference: null },
  ],
  perType: { 'how many': 51.5, [hostile]: 2 },
  source: hostile,
  samples: { all: 214354, asked: 10, scored: 9 },
  partial: [hostile],
  unreadable: [{ image: hostile, reason: hostile }],
  settings: { prompt: hostile, beams: 5 },
  versions: { blip2: '1', node: '20', onnxruntime: '1.30', machine: hostile },
  files: {
    configuration: 'aa',
    annotations: [{ name: hostile, bytes: 12, sha256: 'bb' }],
    model: [{ name: 'm', bytes: 15_000_000_000, sha256: 'cc' }],
  },
  seconds: 12.34,
  written: '2026-01-01T00:00:00.000Z',
}
const example: PageExample = {
  image: 'data:image/jpeg;base64,AAAA',
  name: hostile,
  question: hostile,
  prediction: hostile,
  references: ['yes', hostile, 'yes'],
  score: hostile,
}

test('no text of data, model or configuration becomes markup, and nothing is loaded from outside', () => {
  const page = reportPage(report, [{ title: hostile, examples: [example] }])
  assert.doesNotMatch(page, /<script/)
  assert.ok(page.split('&#60;script&#62;alert(&#34;1 &#38; &#39;2&#39;&#34;)&#60;/script&#62;').length > 15)
  const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1])
  assert.deepEqual(addresses, ['data:image/jpeg;base64,AAAA'])
  assert.doesNotMatch(page, /url\(|@import|https?:/)
})

test('scores beside each other, answers counted', () => {
  const page = reportPage(report, [
    { title: 'Best', examples: [example, { ...example, image: undefined, prediction: '' }] },
  ])
  assert.ok(page.includes('<tr><th>overall</th><td>53.41</td><td>53.50</td><td>−0.09</td></tr>'))
  assert.ok(page.includes('<td>1.00</td><td>–</td><td>–</td>'))
  assert.ok(page.includes('<tr><th>how many</th><td>51.50</td></tr>'))
  assert.ok(page.includes('<li>yes × 2</li>'))
  assert.ok(page.includes('9 of 214,354') && page.includes('15,000,000,000 bytes'))
  assert.ok(page.includes('<i>(nothing)</i>') && page.includes('no picture'))
})

test('a run of all data of a split with secret answers has neither warning nor scores', () => {
  const { note, perType, ...rest } = report
  const page = reportPage({ ...rest, partial: [], unreadable: [], scorable: false, scores: [] }, [])
  assert.doesNotMatch(page, /class="warning"|cannot be read|By type/)
  assert.match(page, /its server scores <code>results\.json<\/code>/)
})
