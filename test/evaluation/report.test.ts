import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findConfig } from '../../src/evaluation/node-configs.ts'
import { makePlan } from '../../src/evaluation/plan.ts'
import { type Findings, makeReport } from '../../src/evaluation/report.ts'

const findings: Findings = {
  model: './mine',
  samples: { all: 5000, asked: 5000, scored: 5000 },
  unreadable: [],
  settings: {},
  versions: { blip2: '1', node: '20', onnxruntime: '1.30', machine: 'x' },
  seconds: 1,
  measured: { Bleu_4: 43.5, ROUGE_L: 60, CIDEr: 146 },
  annotations: [],
  modelFiles: [],
}
const config = await findConfig('coco-caption/blip2-opt-2.7b-coco')
const plan = makePlan(config.benchmark, { row: config.row })

test('the published metrics first, with the difference', () => {
  const { scores, partial, source } = makeReport(config, plan, findings)
  assert.deepEqual(
    scores.map(({ metric, measured, published, difference }) => [metric, measured, published, difference?.toFixed(3)]),
    [
      ['CIDEr', 146, 145.8, '0.200'],
      ['Bleu_4', 43.5, 43.7, '-0.200'],
      ['ROUGE_L', 60, null, undefined],
    ],
  )
  assert.deepEqual(partial, [])
  assert.equal(source, 'blip2-opt-2.7b-coco, BLIP-2 paper, table 3')
})

test('a part of the data is said to be one, and is compared with nothing', () => {
  const unreadable = [{ id: 1, image: 'a.jpg', reason: 'no such file' }]
  const report = makeReport(config, plan, {
    ...findings,
    unreadable,
    samples: { all: 5000, asked: 1200, scored: 1199 },
  })
  assert.deepEqual(report.partial, [
    'the first 1,200 of 5,000 were asked',
    '1 could not be, because their image cannot be read',
  ])
  assert.deepEqual(report.unreadable, [{ image: 'a.jpg', reason: 'no such file' }])
  assert.equal(report.scores[0]?.published, 145.8)
  assert.ok(report.scores.every(({ difference }) => difference === null))
})

test('what is published for secret answers is shown all the same', () => {
  const { scores, scorable } = makeReport(config, plan, { ...findings, measured: undefined })
  assert.equal(scorable, false)
  assert.deepEqual(scores[0], { metric: 'CIDEr', measured: null, published: 145.8, difference: null })
})
