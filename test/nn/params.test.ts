import assert from 'node:assert/strict'
import { test } from 'node:test'
import { input } from '../../src/graph/index.ts'
import { paramsFrom, routedParams } from '../../src/nn/index.ts'

const memory = (values: Float32Array) => ({ kind: 'memory', values }) as const

test('prefixes are entered like folders', () => {
  const asked: string[] = []
  const root = paramsFrom((name) => {
    asked.push(name)
    return undefined
  })
  const layer = root.at('encoder.layers').at(3)
  assert.deepEqual([root.path, layer.path], ['', 'encoder.layers.3'])
  assert.equal(layer.at('mlp').get('weight', [2]).label, 'encoder.layers.3.mlp.weight')
  root.get('query_tokens', [1])
  assert.deepEqual(asked, ['encoder.layers.3.mlp.weight', 'query_tokens'])
})

test('a weight has the shape that is asked for and the data of its source', () => {
  const values = Float32Array.of(1, 2)
  const { shape, dtype, source } = paramsFrom(() => memory(values)).get('bias', [2])
  assert.deepEqual([shape, dtype], [[2], 'float32'])
  assert.deepEqual(source, { kind: 'parameter', name: 'bias', data: memory(values) })
})

test('a weight that is asked for twice is one value, whatever the path it was asked from', () => {
  const p = paramsFrom(() => undefined)
  assert.equal(p.at('shared').get('weight', [2]), p.get('shared.weight', [2]))
})

test('labels are paths', () => {
  const p = paramsFrom(() => undefined).at('layers.0')
  const x = input('x', 'float32', [2])
  assert.equal(p.label(x).label, 'layers.0')
  assert.equal(p.label(x, 'mlp').label, 'layers.0.mlp')
})

test('weights from two sources, by their full names', () => {
  const [fed, stored] = [paramsFrom(() => undefined), paramsFrom(() => memory(Float32Array.of(1)))]
  const p = routedParams((name) => (name.startsWith('qformer.') ? fed : stored))
  assert.equal(p.at('qformer').get('bias', [1]), fed.get('qformer.bias', [1]))
  assert.equal(p.at('vision_model').get('bias', [1]), stored.get('vision_model.bias', [1]))
  assert.equal(p.at('qformer').label(input('x', 'float32', [2])).label, 'qformer')
})
