import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePlan, type PlanInput } from '../../src/training/plan.ts'
import { tinyRecipe } from './tiny.ts'

const input: PlanInput = {
  recipe: tinyRecipe('out', {
    objective: 'stage1',
    model: {},
    data: { crop: [0.5, 1], mirror: true, cache_features: true },
    batch: 8,
    accumulate: 4,
    optimiser: { clip: 1 },
    schedule: { peak: 1e-4, min: 1e-5, warmup_steps: 10 },
  }),
  trained: [[1000, 1000], [24]],
  frozen: [[5000, 1000]],
  fresh: [[24]],
  keptBytes: 1e9,
  featureBytes: 723_712,
  machine: { totalBytes: 16e9, availableBytes: 8e9 },
}

test('a plan says what is trained, and the memory and disk that it takes', () => {
  const { facts, warning } = makePlan(input)
  assert.equal(warning, undefined)
  assert.deepEqual(facts, {
    objective: 'stage1 (itc, itm, itg)',
    trained: '1.00 M parameters, 0.00 M of them fresh',
    frozen: '5.00 M parameters',
    // 20 bytes for each of 1,000,024 parameters, and twice what was given; frozen ones take 4.
    memory:
      'about 2.02 GB: 20.00 MB for the trained parameters with gradients and moments, 2.00 GB for intermediate values; ' +
      '20.00 MB of frozen ones read in place; 8.00 GB of 16.00 GB available',
    disk: '12.00 MB a state, of which the last 2 and the best are kept; 24.00 MB for the model; 0.72 MB for the features of an image',
    steps: '20 of 8 samples in 4 parts',
    'learning rate': 'cosine, 10 steps of warm-up to 0.0001, down to 0.00001',
    optimiser: 'AdamW, betas 0.9 and 0.98, weight decay 0.05, gradients clipped to 1',
    images: 'random parts of 0.5 to 1 of the area, mirrored or not, one view of each for good, as features are kept',
    seed: '1',
  })
})

test('too little memory: a warning with the way out', () => {
  const { warning } = makePlan({ ...input, machine: { totalBytes: 16e9, availableBytes: 1e9 } })
  assert.equal(
    warning,
    'memory: about 2.02 GB are needed and 1.00 GB are available; raise accumulate (now 4), which divides the intermediate values, set recompute, which keeps those between layers only, or close other programs',
  )
})

test('where layers are computed again, the plan says so and does not advise it', () => {
  const recomputed = { ...input, recipe: { ...input.recipe, recompute: true } }
  assert.match(
    makePlan(recomputed).facts.memory!,
    /5\.00 GB for intermediate values \(inside of layers computed again\); /,
  )
  const { warning } = makePlan({ ...recomputed, machine: { totalBytes: 16e9, availableBytes: 1e9 } })
  assert.match(warning!, /raise accumulate \(now 4\), which divides the intermediate values, or close other programs$/)
})

test('a run that goes on has nothing fresh', () => {
  assert.equal(makePlan({ ...input, fresh: undefined }).facts.trained, '1.00 M parameters')
})
