import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CheckpointError } from '../../src/errors.ts'
import { type StoredParamsOptions, type StoredTensor, storedParams } from '../../src/nn/index.ts'

/** Tensors of a file by `name: [dtype, …shape]`. */
function file(tensors: Readonly<Record<string, readonly [string, ...number[]]>>): Map<string, StoredTensor> {
  const entries = Object.entries(tensors).map(([name, [dtype, ...shape]], i): [string, StoredTensor] => [
    name,
    { name, dtype, shape, file: '/models/model.safetensors', offset: 100 * i, length: 40 },
  ])
  return new Map(entries)
}

/** The CheckpointError of a model that asks for the given shapes. */
function problems(
  tensors: Map<string, StoredTensor>,
  asked: Readonly<Record<string, readonly number[]>>,
  options: StoredParamsOptions = {},
): string {
  const { params, check } = storedParams(tensors, options)
  for (const [name, shape] of Object.entries(asked)) params.get(name, shape)
  try {
    check()
    return ''
  } catch (error) {
    assert.ok(error instanceof CheckpointError)
    return error.message
  }
}

describe('storedParams', () => {
  test('weights lie where the file says, in its dtype', () => {
    for (const [stored, dtype] of [
      ['F32', 'float32'],
      ['F16', 'float16'],
      ['BF16', 'bfloat16'],
    ] as const) {
      const { params, check } = storedParams(file({ other: [stored, 1], bias: [stored, 10] }), { unused: () => true })
      const { source, dtype: widened } = params.get('bias', [10])
      check()
      assert.equal(widened, 'float32')
      assert.deepEqual(source.kind === 'parameter' && source.data, {
        kind: 'file',
        dtype,
        file: '/models/model.safetensors',
        offset: 100,
        length: 40,
      })
    }
  })

  test('everything that does not fit is listed in one error', () => {
    const tensors = file({ misshapen: ['F32', 2, 3], ranks: ['F32', 4], whole: ['I64', 4], extra: ['F32', 1] })
    const message = problems(tensors, { misshapen: [3, 2], ranks: [4, 1], whole: [4], missing: [5, 6] })
    assert.match(message, /^5 tensors do not fit the configuration:/)
    for (const line of [
      'misshapen: shape (2, 3), the model needs (3, 2)',
      'ranks: shape (4), the model needs (4, 1)',
      'whole: dtype I64, expected F32, F16 or BF16',
      'missing (5, 6) is missing',
      'extra is not part of the model',
    ]) {
      assert.ok(message.includes(`\n  ${line}`), `${line} in ${message}`)
    }
    assert.match(message, /Is config\.json that of this checkpoint\?$/)
  })

  test('a long list is cut, a checked one is the same again', () => {
    const asked = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`w${i}`, [1]]))
    const message = problems(new Map(), asked)
    assert.match(message, /^20 tensors/)
    assert.match(message, /w7 \(1\) is missing\n {2}and 12 more/)
    const { check } = storedParams(file({ extra: ['F32', 1] }))
    assert.throws(check, /^CheckpointError: 1 tensors/)
    assert.throws(check, /^CheckpointError: 1 tensors/)
  })

  test('what the caller names need not be used', () => {
    const tensors = file({ bias: ['F32', 2], 'bert.pooler.weight': ['F32', 4] })
    assert.equal(problems(tensors, { bias: [2] }, { unused: (name) => name.startsWith('bert.pooler') }), '')
  })

  test('values that replace a weight need as many as it has', () => {
    const tensors = file({ positions: ['F32', 2, 3] })
    const replaced = new Map([['positions', new Float32Array(12)]])
    const { params, check } = storedParams(tensors, { replaced })
    const { source } = params.get('positions', [4, 3])
    check()
    assert.deepEqual(source.kind === 'parameter' && source.data, { kind: 'memory', values: replaced.get('positions') })
    assert.match(problems(tensors, { positions: [2, 3] }, { replaced }), /positions: 12 values .* needs \(2, 3\)/)
  })

  test('a tied weight may be stored under either name or under both', () => {
    const aliases = { 'embed_tokens.weight': ['lm_head.weight', 'old.weight'] }
    for (const names of [
      ['embed_tokens.weight'],
      ['lm_head.weight'],
      ['old.weight'],
      ['embed_tokens.weight', 'lm_head.weight'],
    ]) {
      const tensors = file(Object.fromEntries(names.map((name) => [name, ['F32', 9, 2] as const])))
      assert.equal(problems(tensors, { 'embed_tokens.weight': [9, 2] }, { aliases }), '', names.join())
      const { params } = storedParams(tensors, { aliases })
      const { source } = params.get('embed_tokens.weight', [9, 2])
      assert.equal(source.kind === 'parameter' && source.data?.kind === 'file' && source.data.offset, 0)
    }
    assert.match(
      problems(new Map(), { 'embed_tokens.weight': [9, 2] }, { aliases }),
      /embed_tokens\.weight \(9, 2\) is missing/,
    )
  })
})
