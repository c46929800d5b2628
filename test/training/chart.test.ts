import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chart, svgFile } from '../../src/training/chart.ts'

test('curves: the points where they belong, left to right, high values at the top', () => {
  const svg = chart([
    {
      name: 'loss',
      points: [
        [0, 4],
        [50, 2],
        [100, 0],
      ],
    },
  ])
  // 900 wide with margins of 60 and 110, 260 high with 10 and 30.
  assert.match(svg, /points="60\.0,10\.0 425\.0,120\.0 790\.0,230\.0"/)
  const labels = [...svg.matchAll(/<text[^>]*>([^<]+)</g)].map(([, label]) => label)
  assert.deepEqual(labels, ['0', '1', '2', '3', '4', '0', '25', '50', '75', '100', 'loss'])
})

test('values that are no numbers are left out, flat curves have a range, small numbers are readable', () => {
  const svg = chart([
    {
      name: 'a',
      points: [
        [1, 5],
        [2, Number.NaN],
        [3, Number.POSITIVE_INFINITY],
        [4, 5],
      ],
    },
    { name: 'none', points: [[1, Number.NaN]] },
  ])
  assert.match(svg, /points="60\.0,120\.0 790\.0,120\.0"/)
  assert.doesNotMatch(svg, /NaN|Infinity|>none</)
  assert.match(
    chart([
      {
        name: 'rate',
        points: [
          [0, 0],
          [1, 1e-4],
        ],
      },
    ]),
    />1\.0e-4</,
  )
  assert.match(chart([{ name: '<b>', points: [[0, 0]] }]), /&lt;b&gt;/)
})

test('axes: names, and ranges that the points do not fill', () => {
  const svg = chart(
    [
      {
        name: 'accuracy',
        points: [
          [50, 25],
          [100, 50],
        ],
      },
      {
        name: 'chance',
        points: [
          [0, 0],
          [100, 0],
        ],
        dashed: true,
      },
    ],
    { x: { name: 'steps <n>', range: [0, 100] }, y: { name: 'percent', range: [0, 100] } },
  )
  // The names take 18 pixels at the top and 16 at the bottom: from 28 to 214.
  assert.match(svg, /points="425\.0,167\.5 790\.0,121\.0"/)
  assert.match(svg, /points="60\.0,214\.0 790\.0,214\.0"[^>]* stroke-dasharray="5 4"/)
  assert.deepEqual(
    [...svg.matchAll(/<circle cx="(\S+)" cy="(\S+)"/g)].map(([, x, y]) => [x, y]),
    [
      ['425.0', '167.5'],
      ['790.0', '121.0'],
    ],
  )
  assert.match(svg, />percent<.*>steps &lt;n&gt;</)
})

test('a curve of many points has no dots', () => {
  const points = Array.from({ length: 13 }, (_, i) => [i, i] as const)
  assert.doesNotMatch(chart([{ name: 'many', points }]), /<circle/)
  assert.match(chart([{ name: 'few', points: points.slice(1) }]), /<circle/)
})

test('a file of its own has the name space, its title first, a ground and the font', () => {
  const file = svgFile(chart([{ name: 'a', points: [[0, 0]] }]))
  assert.match(
    file,
    /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 900 260" role="img"><title>a<\/title><style>text \{ font: 11px .*<\/style><rect width="100%" height="100%" fill="#fff"\/>.*<\/svg>\n$/,
  )
})
