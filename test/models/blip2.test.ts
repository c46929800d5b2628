/** Values: test/parity. Here: weights of the whole, and that the three graphs together are one model. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import { type Graph, imageGraph, languageSize, promptGraph, stepGraph, tiedNames } from '../../src/models/blip2.ts'
import { recorderParams, storedParams } from '../../src/nn/index.ts'
import { assertTensor } from '../support/assert.ts'
import { evaluate, type Feeds, prepare, type Results } from '../support/evaluate.ts'
import { referenceDir } from '../support/paths.ts'
import { referenceConfig } from '../support/reference.ts'
import { floats, longs, normal, numbers, type Tensor } from '../support/tensors.ts'

const target = { purpose: 'inference', sizes: { batch: 1, tokens: 4 } } as const
const hide = Number.NEGATIVE_INFINITY

async function openModel(name: string) {
  const folder = join(referenceDir, name)
  const config = await referenceConfig(folder)
  const { tensors } = await openCheckpoint(join(folder, 'model.safetensors'))
  const { params, check } = storedParams(tensors, { aliases: tiedNames })
  const image = imageGraph(params, config)
  const prompt = promptGraph(params, config)
  const step = stepGraph(params, config)
  check() // every weight is there, fits and is used
  return { config, tensors, image, prompt, step }
}

const opt = await openModel('hf-blip2-opt')
const t5 = await openModel('hf-blip2-t5')

test('a recorder counts the parameters of the files, tied ones once', () => {
  for (const { config, tensors } of [opt, t5]) {
    const { params, shapes, total } = recorderParams()
    for (const graph of [imageGraph, promptGraph, stepGraph]) graph(params, config)
    const tied = new Set([...shapes.keys()].flatMap((name) => tiedNames[name] ?? []))
    const stored = [...tensors.values()].filter(({ name }) => !tied.has(name))
    const sizes = stored.map(({ name, shape }) => [name, shape.reduce((n, size) => n * size, 1)] as const)
    for (const prefix of ['', 'vision_model.', 'qformer.', 'query_tokens', 'language_projection.', 'language_model.']) {
      const expected = sizes.reduce((sum, [name, size]) => sum + (name.startsWith(prefix) ? size : 0), 0)
      assert.equal(total(prefix), expected, prefix)
    }
  }
})

test('languageSize is the width that the projection maps to', () => {
  for (const { config, tensors } of [opt, t5]) {
    assert.equal(languageSize(config), tensors.get('language_projection.weight')?.shape[0])
  }
})

test('an image has the same queries alone and in a batch', async () => {
  const { num_channels, image_size } = opt.config.vision_config
  const pixels = normal(1, [3, num_channels, image_size, image_size])
  const size = numbers(pixels).length / 3
  const both = (await evaluate(opt.image, { pixel_values: pixels }, target)).query_embeds!
  const [queries, , width] = both.shape as [number, number, number]
  for (const item of [0, 1, 2]) {
    const image = floats([1, ...pixels.shape.slice(1)], numbers(pixels).slice(item * size, (item + 1) * size))
    const alone = (await evaluate(opt.image, { pixel_values: image }, target)).query_embeds
    const rows = numbers(both).filter((_, i) => Math.floor(i / width) % 3 === item)
    assertTensor(alone, floats([queries, 1, width], rows), 2e-6)
  }
})

/** The cache after a run: what was there, and behind it the rows that the run returned. */
function extended(cache: Feeds, results: Results): Feeds {
  const next: Record<string, Tensor> = { ...cache }
  for (const [name, fresh] of Object.entries(results)) {
    if (!name.startsWith('present.')) continue
    const past = name.replace('present', 'past')
    const rows = (cache[past]?.shape[0] ?? 0) + fresh.shape[0]!
    next[past] = floats([rows, ...fresh.shape.slice(1)], [...numbers(cache[past]), ...numbers(fresh)])
  }
  return next
}

const range = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i)
const rowsOf = (tensor: Tensor, rows: readonly number[]): Tensor => {
  const size = numbers(tensor).length / tensor.shape[0]!
  return floats(
    [rows.length, ...tensor.shape.slice(1)],
    rows.flatMap((row) => numbers(tensor).slice(row * size, (row + 1) * size)),
  )
}

/** (1, 1, tokens, past + tokens): who sees whom, given as the list of visible keys of each token. */
const maskOf = (visible: readonly (readonly number[])[], keys: number) =>
  floats(
    [1, 1, visible.length, keys],
    visible.flatMap((seen) => range(keys).map((key) => (seen.includes(key) ? 0 : hide))),
  )

describe('OPT step by step', () => {
  const { config, prompt, step } = opt
  const queries = config.num_query_tokens
  const query_embeds = normal(2, [queries, 1, languageSize(config)])
  const causal = (length: number, past = 0) =>
    maskOf(
      range(length, past).map((at) => range(at + 1)),
      past + length,
    )

  /** Logits of queries and text in one run. */
  const whole = async (text: readonly number[], graph: Graph = prompt) => {
    const length = queries + text.length
    const feeds = {
      query_embeds,
      input_ids: longs([text.length, 1], text),
      positions: longs([length, 1], range(length)),
    }
    return evaluate(graph, { ...feeds, mask: causal(length), read: longs([length], range(length)) }, target)
  }

  test('the prompt, then tokens one by one and several at once, give the logits of the whole text', async () => {
    const text = [2, 9, 4, 31, 7, 5]
    const expected = (await whole(text)).logits!
    const results = await whole(text.slice(0, 2))
    assertTensor(results.logits, rowsOf(expected, range(queries + 2)), 1e-5)
    let cache = extended({}, results)
    const run = await prepare(step, target)
    for (const [from, length] of [
      [2, 1],
      [3, 1],
      [4, 2],
    ] as const) {
      const past = queries + from
      const next = await run({
        ...cache,
        input_ids: longs([length, 1], text.slice(from, from + length)),
        positions: longs([length, 1], range(length, past)),
        mask: causal(length, past),
        read: longs([length], range(length)),
      })
      assertTensor(next.logits, rowsOf(expected, range(length, past)), 1e-5)
      cache = extended(cache, next)
    }
  })

  test('no prompt at all', async () => {
    const { logits } = await whole([])
    assertTensor(logits, rowsOf((await whole([2, 9])).logits!, range(queries)), 1e-5)
  })

  test('leaves of a tree: two continuations of one prefix, each with the logits of its own text', async () => {
    const [prefix, left, right] = [
      [2, 9],
      [4, 31],
      [8, 3],
    ]
    const cache = extended({}, await whole(prefix))
    const past = queries + prefix.length
    // The cache holds the prefix, then left[0], right[0], left[1], right[1].
    const run = await prepare(step, target)
    const roots = range(past)
    const first = await run({
      ...cache,
      input_ids: longs([2, 1], [left[0]!, right[0]!]),
      positions: longs([2, 1], [past, past]),
      mask: maskOf(
        [
          [...roots, past],
          [...roots, past + 1],
        ],
        past + 2,
      ),
      read: longs([2], [0, 1]),
    })
    const second = await run({
      ...extended(cache, first),
      input_ids: longs([2, 1], [left[1]!, right[1]!]),
      positions: longs([2, 1], [past + 1, past + 1]),
      mask: maskOf(
        [
          [...roots, past, past + 2],
          [...roots, past + 1, past + 3],
        ],
        past + 4,
      ),
      read: longs([2], [0, 1]),
    })
    for (const [branch, text] of [left, right].entries()) {
      const expected = (await whole([...prefix, ...text])).logits!
      assertTensor(rowsOf(first.logits!, [branch]), rowsOf(expected, [past]), 1e-5)
      assertTensor(rowsOf(second.logits!, [branch]), rowsOf(expected, [past + 1]), 1e-5)
    }
  })
})

describe('T5 step by step', () => {
  const { config, prompt, step } = t5
  const queries = config.num_query_tokens
  const source = queries + 3
  const encode = () =>
    evaluate(
      prompt,
      {
        query_embeds: normal(3, [queries, 1, languageSize(config)]),
        input_ids: longs([3, 1], [5, 6, 7]),
        positions: longs([source], range(source)),
        mask: floats([1, 1, 1, source], new Array(source).fill(0)),
      },
      target,
    )

  test('tokens one by one give the logits of the whole text', async () => {
    const text = [0, 9, 4, 31]
    let cache = extended({}, await encode())
    const run = await prepare(step, target)
    const feeds = (from: number, length: number) => ({
      input_ids: longs([length, 1], text.slice(from, from + length)),
      positions: longs([length], range(length, from)),
      key_positions: longs([from + length], range(from + length)),
      mask: maskOf(
        range(length, from).map((at) => range(at + 1)),
        from + length,
      ),
      source_mask: floats([1, 1, 1, source], new Array(source).fill(0)),
      read: longs([length], range(length)),
    })
    const own = Object.entries(step).flatMap(([name, value]) =>
      name.startsWith('present.')
        ? [[name.replace('present', 'past'), floats([0, 1, value.shape[2] as number], [])] as const]
        : [],
    )
    cache = { ...Object.fromEntries(own), ...cache }
    const expected = (await run({ ...cache, ...feeds(0, text.length) })).logits!
    for (const at of text.keys()) {
      const next = await run({ ...cache, ...feeds(at, 1) })
      assertTensor(next.logits, rowsOf(expected, [at]), 2e-5)
      cache = extended(cache, next)
    }
  })
})
