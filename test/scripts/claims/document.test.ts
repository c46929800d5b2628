import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chance, withResults } from '../../../scripts/claims/document.ts'
import { plots } from '../../../scripts/claims/plots.ts'
import type { Results } from '../../../scripts/claims/results.ts'
import { repositoryRoot } from '../../support/paths.ts'
import { example } from './example.ts'

const document = readFileSync(join(repositoryRoot, 'docs', 'claims.md'), 'utf8')
const folder = join(repositoryRoot, 'docs', 'claims')

test('docs/claims.md and its plots say what docs/claims/results.json says', () => {
  const results = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results
  assert.equal(document, withResults(document, results), 'npm run claims writes the document')
  const drawn = plots(results)
  assert.deepEqual(readdirSync(folder).sort(), ['results.json', ...Object.keys(drawn)].sort())
  for (const [name, svg] of Object.entries(drawn)) assert.equal(readFileSync(join(folder, name), 'utf8'), svg, name)
})

test('a section changes between its marks only, and again when the results change', () => {
  const written = withResults(document, example)
  const outside = (text: string) => text.replace(/(<!-- results:(\w+) -->)[\s\S]*?(<!-- \/results:\2 -->)/g, '$1$3')
  assert.equal(outside(written), outside(document))
  assert.equal(written.match(/\*\*Found:\*\*/g)?.length, 3)
  assert.equal(withResults(written, {}), withResults(document, {}))
  assert.throws(
    () => withResults('# Claims', example),
    /DataError: docs\/claims\.md: expected <!-- results:figure5 -->/,
  )
  for (const [, file] of written.matchAll(/!\[[^\]]+\]\(claims\/(.+)\)/g)) assert.ok(file! in plots(example), file)
})

const sectionOf = (name: keyof Results, results: Results) =>
  withResults(`<!-- results:${name} --><!-- /results:${name} -->${marksBut(name)}`, results).split(
    `<!-- /results:${name} -->`,
  )[0]!
const marksBut = (name: string) =>
  ['figure5', 'table6', 'queries']
    .filter((other) => other !== name)
    .map((other) => `<!-- results:${other} --><!-- /results:${other} -->`)
    .join('')

test('Figure 5: a row for each state', () => {
  const section = sectionOf('figure5', example)
  assert.ok(
    section.includes(`| steps | accuracy with stage 1 | without | difference | validation loss with stage 1 | without |
|---|---:|---:|---:|---:|---:|
| 200 | 52.0 | 40.0 | +12.0 | 1.500 | 1.800 |
| 400 | 70.0 | 50.0 | +20.0 | 1.200 | 1.625 |
`),
  )
  assert.match(section, /the first stage before one of them had 2,000 of 64\. Each state answers 1,000 questions\./)
  assert.match(section, /without looking, is right for 41\.5 %/)
  // 1.96 √((70·30 + 50·50) / 1000) = 4.20
  assert.match(section, /The difference is \+20\.0; up to 4\.2 either way .* The first stage helps, as in the paper\./)
})

test('Table 6: the published numbers beside ours', () => {
  const section = sectionOf('table6', example)
  assert.ok(
    section.includes(`|  | TR@1 | TR@5 | IR@1 | IR@5 |
|---|---:|---:|---:|---:|
| paper, ITC+ITM | 84.5 | 96.2 | 67.2 | 87.1 |
| paper, ITC+ITM+ITG | 85.4 | 97.0 | 68.3 | 87.7 |
| paper, difference | +0.9 | +0.8 | +1.1 | +0.6 |
| here, ITC+ITM | 42.0 | 62.0 | 40.0 | 60.0 |
| here, ITC+ITM+ITG | 45.5 | 65.5 | 43.5 | 63.5 |
| here, difference | +3.5 | +3.5 | +3.5 | +3.5 |
`),
  )
  assert.match(section, /is 44\.5 % with ITG and 41\.0 % without\. .* So this does not tell which is better\.$/m)
})

test('queries: a row for each number', () => {
  const section = sectionOf('queries', example)
  assert.match(
    section,
    /250 steps of stage 1 with 64 samples each, .* 400 of stage 2 with 48, tested on 1,000 questions\./,
  )
  assert.ok(section.includes('| 4 | 60.0 | 1.500 | 30.0 | 50.0 | 28.0 | 48.0 |\n| 16 | 50.0 | 1.625 | 40.0 |'))
  assert.match(
    section,
    /with 4 queries 60\.0 % of the answers are right, with 16 50\.0 %\. .* −10\.0.* Fewer queries answer better\./,
  )
})

test('what is found turns round with the numbers', () => {
  const { figure5 } = example
  const turned = { ...example, figure5: { ...figure5, with: figure5.without, without: figure5.with } }
  assert.match(sectionOf('figure5', turned), /−20\.0; .* The first stage harms, unlike in the paper\./)
})

test('chance: two shares of a half of 100 each', () => {
  // 1.96 √(2 · 0.5² / 100), in percent
  assert.ok(Math.abs(chance([50, 50], 100) - 13.859) < 1e-3)
  assert.equal(chance([0, 100], 100), 0)
})
