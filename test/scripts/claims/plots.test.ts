import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { barChart } from '../../../scripts/claims/bars.ts'
import { plots } from '../../../scripts/claims/plots.ts'
import { example } from './example.ts'

test('bars stand on the ground, as high as their values, side by side in their groups', () => {
  const svg = barChart({
    series: ['a', '<b>'],
    groups: [
      { name: 'one', values: [0, 100] },
      { name: 'two', values: [50, 25] },
    ],
    y: { name: 'percent', range: [0, 100] },
  })
  // Groups of 365 from 60 on; bars of 127.75, of which 92 % are filled; from 28 at the top to 230 at the bottom.
  const bars = [...svg.matchAll(/<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)" fill="(\S+)"\/>/g)].map((bar) =>
    bar.slice(1),
  )
  assert.deepEqual(bars, [
    ['114.8', '230.0', '117.5', '0.0', '#1b6ca8'],
    ['242.5', '28.0', '117.5', '202.0', '#c8553d'],
    ['479.8', '129.0', '117.5', '101.0', '#1b6ca8'],
    ['607.5', '179.5', '117.5', '50.5', '#c8553d'],
  ])
  for (const text of ['0.0', '100.0', '50.0', '25.0', 'one', 'two', 'a', '&lt;b&gt;', 'percent'])
    assert.ok(svg.includes(`>${text}</text>`), text)
})

test('a plot for each thing that was measured, which other programs can draw', async () => {
  const drawn = plots(example)
  assert.deepEqual(Object.keys(drawn), ['figure5-accuracy.svg', 'figure5-loss.svg', 'table6.svg', 'queries.svg'])
  for (const [name, svg] of Object.entries(drawn)) {
    const { width, height } = await sharp(Buffer.from(svg)).metadata()
    assert.deepEqual([width, height], [900, 260], name)
    assert.doesNotMatch(svg, /NaN|Infinity|undefined|href|url\(/, name)
  }
  assert.deepEqual(plots({}), {})
  assert.deepEqual(Object.keys(plots({ table6: example.table6 })), ['table6.svg'])
})

test('accuracy lies between 0 and 100 from the first step on, beside that without the picture', () => {
  const svg = plots(example)['figure5-accuracy.svg']!
  // From 60 to 790, and from 214 for 0 to 28 for 100.
  assert.match(svg, /points="425\.0,117\.3 790\.0,83\.8" fill="none" stroke="#1b6ca8"/)
  assert.match(svg, /points="425\.0,139\.6 790\.0,121\.0" fill="none" stroke="#c8553d"/)
  assert.match(
    svg,
    /points="60\.0,136\.8 790\.0,136\.8" fill="none" stroke="#588157" stroke-width="1.5" stroke-dasharray/,
  )
  for (const name of ['with stage 1', 'without stage 1', 'no picture', 'steps of stage 2', 'VQA accuracy, percent'])
    assert.ok(svg.includes(`>${name}</text>`), name)
})
