/** Layers that are computed again for their gradient: less is kept, and not a bit of losses and gradients changes. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gradients } from '../../src/autodiff/index.ts'
import { plainForm, reachable, type Value } from '../../src/graph/index.ts'
import { parseConfig } from '../../src/models/config.ts'
import { initialisedParams, recorderParams } from '../../src/nn/index.ts'
import { keptBytes } from '../../src/training/activations.ts'
import { train } from '../../src/training/node-train.ts'
import { objectiveOf } from '../../src/training/objective.ts'
import { evaluate, type Feeds } from '../support/evaluate.ts'
import { longs, normal, type Tensor, uniform } from '../support/tensors.ts'
import { configs, tinyRecipe, writeTinyData } from './tiny.ts'

const layers = { num_hidden_layers: 3 }
const vision_config = { ...configs.opt.vision_config, ...layers }
const clip = { ...vision_config, model_type: 'clip_vision_model', layer_norm_eps: 1e-5 }
const retrieval = {
  ...configs.retrieval,
  vision_config,
  qformer_config: { ...configs.retrieval.qformer_config, ...layers },
}
const qformer_config = { ...configs.opt.qformer_config, ...layers }
const opt = { ...configs.opt, vision_config, qformer_config, text_config: { ...configs.opt.text_config, ...layers } }
const t5 = { ...configs.t5, vision_config, qformer_config, text_config: { ...configs.t5.text_config, num_layers: 3 } }
const asked = { ...configs.asked, vision_config, qformer_config: { ...configs.asked.qformer_config, ...layers } }

const trained = { train_image_encoder: true }
const cases = [
  { name: 'stage1', objective: 'stage1', model: {}, config: retrieval },
  { name: 'stage1, the EVA encoder trained', objective: 'stage1', model: trained, config: retrieval },
  {
    name: 'stage1, a CLIP encoder trained',
    objective: 'stage1',
    model: trained,
    config: { ...retrieval, vision_config: clip },
  },
  { name: 'stage2 with OPT', objective: 'stage2', model: {}, config: opt },
  { name: 'stage2 with T5', objective: 'stage2', model: {}, config: t5 },
  { name: 'stage2 with T5, the encoder trained', objective: 'stage2', model: trained, config: t5 },
  { name: 'stage2 with questions', objective: 'stage2', model: trained, config: asked },
  { name: 'language-model', objective: 'language-model', model: {}, config: opt },
  { name: 'contrastive', objective: 'contrastive', model: {}, config: retrieval },
] as const

const [batch, tokens, targets, question] = [3, 6, 5, 4]
const ids = (seed: number, shape: readonly [number, number]): Tensor => {
  const random = uniform(seed)
  return longs(
    shape,
    Array.from({ length: shape[0] * shape[1] }, () => 6 + Math.floor(20 * random())),
  )
}

for (const { name, objective, model, config } of cases) {
  test(name, async () => {
    const { params, shapes } = recorderParams()
    const recipe = tinyRecipe('none', { objective, model })
    const { losses, trains } = objectiveOf(recipe, parseConfig(config, name), 5)
    const made = losses(params)
    const fresh = initialisedParams({ seed: 3, deviation: 0.2 })
    const feeds: Record<string, Tensor> = {
      input_ids: ids(1, [tokens, batch]),
      labels: ids(2, [name.includes('T5') ? targets : tokens, batch]),
      question_ids: ids(3, [question, batch]),
      image_ids: longs([batch], [0, 1, 2]),
      'gumbel.images': normal(4, [batch, batch]),
      'gumbel.texts': normal(5, [batch, batch]),
      image_hidden: normal(6, [5, batch, 16]),
      pixel_values: normal(7, [batch, 3, 16, 16]),
    }
    for (const [weight, shape] of shapes) {
      const { source } = fresh.get(weight, shape)
      if (source.kind !== 'parameter' || source.data?.kind !== 'memory') throw new Error(weight)
      feeds[weight] = { dtype: 'float32', shape, data: source.data.values as Float32Array<ArrayBuffer> }
    }
    const names = [...shapes.keys()].filter(trains)
    const slopes = (recompute: boolean) =>
      gradients(
        made.loss as Value,
        names.map((weight) => params.get(weight, shapes.get(weight)!)),
        { recompute },
      )
    const [kept, again] = [slopes(false), slopes(true)]

    const sizes = { batch, tokens, targets, question, rows: batch * tokens, predicting: batch * targets }
    const bytes = [kept, again].map((one) => keptBytes(Object.values(made), one, sizes)) as [number, number]
    assert.ok(bytes[1] < 0.75 * bytes[0], `${bytes}`)
    assert.ok(products(again) > products(kept))
    const found = await run(made, names, kept, feeds)
    const recomputed = await run(made, names, again, feeds)
    for (const [output, { data }] of Object.entries(found)) {
      const bits = (one: Tensor['data'] | undefined) => Buffer.from(one!.buffer, one!.byteOffset, one!.byteLength)
      assert.ok((data as Float32Array).every(Number.isFinite), output)
      assert.ok(bits(data).equals(bits(recomputed[output]?.data)), output)
    }
  })
}

function products(values: readonly Value[]): number {
  const nodes = reachable(values, plainForm).filter(({ source }) => source.kind === 'node' && source.node.op === 'Gemm')
  return nodes.length
}

function run(
  losses: Readonly<Record<string, Value>>,
  names: readonly string[],
  slopes: readonly Value[],
  feeds: Feeds,
) {
  return evaluate(
    { ...losses, ...Object.fromEntries(names.map((name, i) => [`d ${name}`, slopes[i] as Value])) },
    feeds,
  )
}

test('a run goes on with the other setting, to the same bits', async () => {
  const root = mkdtempSync(join(tmpdir(), 'blip2-recompute-'))
  try {
    await writeTinyData(root)
    const recipe = (name: string, recompute: boolean) =>
      tinyRecipe(join(root, name), {
        objective: 'language-model',
        model: { tokenizer: 'opt', config: opt },
        steps: 4,
        recompute,
        checkpoints: { every: 2, keep: 2 },
      })
    const options = { folder: root, threads: 1 }
    await train(recipe('whole', false), options)

    const controller = new AbortController()
    const stop = { signal: controller.signal, onStep: ({ step }: { step: number }) => step === 2 && controller.abort() }
    await assert.rejects(train(recipe('changed', true), { ...options, ...stop }), { name: 'AbortError' })
    await train(recipe('changed', false), { ...options, resume: true })
    for (const file of ['weights', 'moments'].map((part) => `checkpoints/step-0000004/${part}.safetensors`)) {
      assert.ok(readFileSync(join(root, 'changed', file)).equals(readFileSync(join(root, 'whole', file))), file)
    }
  } finally {
    rmSync(root, { recursive: true })
  }
})
