import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input, label, labelled, plainForm, reachable, type Value, withFusedForm } from '../../src/graph/index.ts'
import { add, mul, neg, split } from '../../src/ops/index.ts'

const x = input('x', 'float32', [4])

test('every value comes once, after all that it is computed from', () => {
  const twice = neg(x)
  const y = add(mul(twice, twice), twice)
  const order = reachable([y, twice], plainForm)
  assert.equal(order.length, 4)
  const seen = new Set<Value>()
  for (const value of order) {
    if (value.source.kind === 'node') for (const one of value.source.node.inputs) assert.ok(one && seen.has(one))
    seen.add(value)
  }
})

test('other outputs of a node are not reached through one', () => {
  const [a, b] = split(x, [1, 3], 0)
  const order = reachable([a!], plainForm)
  assert.ok(order.includes(a!) && !order.includes(b!))
})

test('a graph of 100,000 nodes in a row', () => {
  let y = x
  for (let i = 0; i < 100_000; i++) y = neg(y)
  assert.equal(reachable([y], plainForm).length, 100_001)
  assert.ok(labelled([y]).has('x'))
})

test('labelled values are found below, also behind a value with two forms', () => {
  const inside = label(neg(x), 'layers.0')
  const outside = label(
    withFusedForm(neg(inside), () => undefined),
    'layers.1',
  )
  const found = labelled([add(outside, x)])
  assert.deepEqual([...found.keys()].sort(), ['layers.0', 'layers.1', 'x'])
  assert.equal(found.get('layers.0'), inside)
  assert.equal(found.get('layers.1'), outside)
})
