import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolver } from '../../src/graph/forms.ts'
import { input, label, node, plainForm, type Value, withFusedForm } from '../../src/graph/index.ts'

const x = input('x', 'float32', ['tokens', 3])
const made = (op: string, of: Value = x) => node(op, [of], { shape: of.shape, gradient: 'not asked for here' })
const opOf = (value: Value) => (value.source.kind === 'node' ? value.source.node.op : value.source.kind)

test('training writes the plain form, inference the fused one', () => {
  const value = withFusedForm(made('Plain'), () => made('Fused'))
  assert.equal(opOf(resolver({ purpose: 'training' })(value)), 'Plain')
  assert.equal(opOf(resolver({ purpose: 'inference' })(value)), 'Fused')
  assert.equal(opOf(plainForm(value)), 'Plain')
  assert.deepEqual([value.dtype, value.shape], ['float32', ['tokens', 3]])
})

test('a fused form is told the expected sizes and may decline', () => {
  const value = withFusedForm(made('Plain'), (sizes) => ((sizes.tokens ?? 1) > 1 ? made('Fused') : undefined))
  assert.equal(opOf(resolver({ purpose: 'inference', sizes: { tokens: 5 } })(value)), 'Fused')
  assert.equal(opOf(resolver({ purpose: 'inference' })(value)), 'Plain')
  assert.equal(opOf(resolver({ purpose: 'training', sizes: { tokens: 5 } })(value)), 'Plain')
})

test('every use of a value gets the same choice, under its own label', () => {
  const value = withFusedForm(made('Plain'), () => made('Fused'))
  const resolve = resolver({ purpose: 'inference' })
  const [first, second] = [resolve(label(value, 'one')), resolve(value)]
  assert.equal(first.source, second.source)
  assert.deepEqual([first.label, second.label], ['one', undefined])
})

test('forms within forms', () => {
  const inner = withFusedForm(made('InnerPlain'), () => made('InnerFused'))
  const outer = withFusedForm(inner, () => undefined)
  assert.equal(opOf(resolver({ purpose: 'inference' })(outer)), 'InnerFused')
  assert.equal(opOf(plainForm(outer)), 'InnerPlain')
})
