import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogLine, StepLine, ValidationLine } from '../../src/training/log.ts'
import { trainingReport } from '../../src/training/report.ts'

const step = (number: number, changes: Partial<StepLine> = {}): StepLine => ({
  kind: 'step',
  step: number,
  loss: 3 - number / 100,
  parts: { loss_itc: 1, loss_itm: 1 - number / 200, loss_itg: 1 },
  learning_rate: 1e-4,
  gradient_norm: 2,
  samples_per_second: 30,
  waiting: 0.01,
  memory: 1e9,
  seconds: number,
  ...changes,
})
const picture = 'data:image/png;base64,iVBORw0KGgo='
const validation = (number: number, said: string): ValidationLine => ({
  kind: 'validation',
  step: number,
  loss: 2.5,
  parts: {},
  examples: [{ picture, said, reference: 'a dog & a "cat"' }],
})
const lines: LogLine[] = [step(10), step(20), validation(20, 'a <dog>'), step(30), step(40), validation(40, 'a dog')]

/** Elements that HTML lets stand without an end tag, or that have none. */
const open = new Set(['meta', 'img', 'tr', 'th', 'td', 'p'])

/** Fails unless every tag is closed in order, every attribute quoted, and every < and & part of a tag or an entity. */
function assertWellFormed(html: string): void {
  const stack: string[] = []
  const body = html.replace(/<style>[\s\S]*?<\/style>/g, '').replace('<!doctype html>', '')
  const rest = body.replace(
    /<(\/?)([a-z][a-z0-9]*)((?:\s+[\w-]+="[^"<>]*")*)\s*(\/?)>/gi,
    (_, end, name, _attributes, empty) => {
      if (end) assert.equal(stack.pop(), name)
      else if (!empty && !open.has(name)) stack.push(name)
      return ''
    },
  )
  assert.deepEqual(stack, [])
  assert.doesNotMatch(rest, /[<>]/)
  assert.doesNotMatch(rest, /&(?!(?:amp|lt|gt|quot);)/)
}

test('a page that needs nothing else, with facts, curves and examples as they change', () => {
  const page = trainingReport({ title: 'stage1 <&> "x"', facts: { batch: '8', 'crop & mirror': '<none>' }, lines })
  assertWellFormed(page)
  assert.match(page, /<title>stage1 &lt;&amp;&gt; &quot;x&quot;<\/title>/)
  assert.match(page, /<th>batch<td>8\n<tr><th>crop &amp; mirror<td>&lt;none&gt;/)
  assert.doesNotMatch(page, /https?:|src="(?!data:)|<script|<link/)
  assert.equal(page.match(/<svg/g)?.length, 4)
  assert.match(page, /<th>after 20 steps<th>after 40 steps\n/)
  assert.match(page, /<td>a &lt;dog&gt;<td>a dog<\/table>/)
  assert.equal(page.match(/<img/g)?.length, 1)
  assert.match(page, /a dog &amp; a &quot;cat&quot;/)
  for (const name of ['loss', 'itc', 'itm', 'itg', 'validation', 'learning rate'])
    assert.match(page, new RegExp(`>${name}</text>`))
})

test('of many checkpoints six are shown, the first and the last among them; what equals its reference stands out', () => {
  const many = Array.from({ length: 41 }, (_, i) => validation(10 * i, i === 40 ? 'a dog & a "cat"' : `try ${i}`))
  const page = trainingReport({ title: 'many', facts: {}, lines: many })
  const shown = [...page.matchAll(/<th>after (\d+) steps/g)].map(([, number]) => Number(number))
  assert.deepEqual(shown, [0, 80, 160, 240, 320, 400])
  assert.match(page, /<td>try 32<td class="same">a dog &amp; a &quot;cat&quot;</)
})

test('a run that has told nothing yet, one line, and a loss in one part', () => {
  const none = trainingReport({ title: 'new', facts: {}, lines: [] })
  assertWellFormed(none)
  assert.equal(none.match(/Nothing yet\./g)?.length, 4)
  const one = trainingReport({ title: 'new', facts: {}, lines: [step(1, { parts: { loss_lm: 3 } })] })
  assertWellFormed(one)
  assert.doesNotMatch(one, />lm<\/text>|NaN|Infinity/)
})
