/** Folder `optim`: AdamW step by step with two betas and with clipping, the decay groups, the learning rates of LAVIS's settings. */
import { basename, join } from 'node:path'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import type { Checkpoint } from '../../src/checkpoints/safetensors.ts'
import { adamw, type Trained } from '../../src/optim/adamw.ts'
import { decays } from '../../src/optim/groups.ts'
import { learningRate } from '../../src/optim/schedule.ts'
import { createVariable } from '../../src/optim/variable.ts'
import { readJson, tensorOf } from '../support/reference.ts'
import { floats, numbers, type Tensor } from '../support/tensors.ts'
import { compareAll, type Named } from './compare.ts'
import { checkStage1Steps } from './optim-stage1.ts'
import { attempt, type Check } from './report.ts'

type Tensors = Checkpoint['tensors']

interface Trace {
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly clip_max_norm: number | null
  readonly lr: readonly { readonly step: number; readonly lr: number }[]
  readonly grad_norm_before_clip: readonly number[]
  readonly weight_decay: Readonly<Record<string, number>>
}

interface RateTable {
  readonly settings: Readonly<Record<string, string | number | null>>
  readonly rows: readonly (readonly [epoch: number, step: number, rate: number])[]
}

interface Group {
  readonly weight_decay: number
  readonly params: readonly string[]
}

interface Facts {
  readonly adamw_traces: Readonly<Record<string, Trace>>
  readonly lr_tables: Readonly<Record<string, RateTable>>
  readonly weight_decay_groups_stage1_tiny_model: readonly Group[]
}

export async function checkOptim(path: string): Promise<Check[]> {
  const folder = basename(path)
  const facts = (await readJson(join(path, 'cases.json'))) as unknown as Facts
  const { tensors } = await openCheckpoint(join(path, 'trace.safetensors'))
  const checks: Check[] = []
  for (const [name, trace] of Object.entries(facts.adamw_traces)) {
    const variant = `adamw ${name}`
    const compare = async () => {
      const expected = await expectedTrace(name, trace, tensors)
      return compareAll({ folder, variant }, await runTrace(trace, tensors), expected, toleranceFor(expected))
    }
    checks.push(...(await attempt(folder, variant, compare)))
  }
  for (const [name, table] of Object.entries(facts.lr_tables)) {
    const difference = largestRateDifference(table)
    checks.push({ folder, variant: 'learning rates', name, difference, tolerance: 1e-15 })
  }
  const groups = facts.weight_decay_groups_stage1_tiny_model
  checks.push(...(await attempt(folder, 'decay groups', () => checkGroups(path, groups))))
  checks.push(...(await attempt(folder, 'stage 1, four steps', () => checkStage1Steps(path))))
  return checks
}

/** What the trace keeps: parameters after each step, moments after the last, and of a trace with clipping the first gradients. */
async function runTrace(trace: Trace, tensors: Tensors): Promise<Named> {
  const { betas, eps, clip_max_norm } = trace
  const variables = await startOf(trace, tensors)
  const found: Record<string, Tensor> = {}
  const norms: number[] = []
  for (const { step, lr } of trace.lr) {
    for (const [name, { gradient }] of variables) {
      gradient.set((await tensorOf(tensors, `grad.${step}.${name}`)).data as Float32Array)
    }
    const options = { learningRate: lr, betas, eps, ...(clip_max_norm !== null && { clipNorm: clip_max_norm }) }
    norms.push(adamw(variables, step + 1, options).gradientNorm)
    for (const [name, { shape, value, exp_avg }] of variables) {
      found[`after.${step}.${name}`] = floats(shape, value)
      if (step === 0 && clip_max_norm !== null) {
        found[`clipped_grad.0.${name}`] = floats(
          shape,
          exp_avg.map((moment) => moment / (1 - betas[0])),
        )
      }
    }
  }
  for (const [name, { shape, exp_avg, exp_avg_sq }] of variables) {
    found[`exp_avg.${name}`] = floats(shape, exp_avg)
    found[`exp_avg_sq.${name}`] = floats(shape, exp_avg_sq)
  }
  return clip_max_norm === null ? found : { ...found, norms: relative(norms, trace) }
}

/** 1e-6, as the README beside the traces asks; of the largest element where that is above 1, as float32 is no finer than that. */
function toleranceFor(expected: Named): (name: string) => number {
  return (name) => 1e-6 * Math.max(1, ...numbers(expected[name]).map(Math.abs))
}

async function startOf({ weight_decay }: Trace, tensors: Tensors): Promise<Map<string, Trained>> {
  const variables = new Map<string, Trained>()
  for (const [name, weightDecay] of Object.entries(weight_decay)) {
    const { shape, data } = await tensorOf(tensors, `init.${name}`)
    const variable = { ...createVariable(shape), weightDecay, rateFactor: 1 }
    variable.value.set(data as Float32Array)
    variables.set(name, variable)
  }
  return variables
}

async function expectedTrace(trace: string, facts: Trace, tensors: Tensors): Promise<Named> {
  const names = [...tensors.keys()].filter((name) => name.startsWith(`${trace}.`))
  const expected = await Promise.all(
    names.map(async (name) => [name.slice(trace.length + 1), await tensorOf(tensors, name)] as const),
  )
  const norms = facts.grad_norm_before_clip
  return { ...Object.fromEntries(expected), ...(norms.length > 0 && { norms: relative(norms, facts) }) }
}

/** As parts of the reference's norms, which are float32 numbers up to 78. */
function relative(norms: readonly number[], { grad_norm_before_clip }: Trace): Tensor {
  return floats(
    [norms.length],
    norms.map((norm, i) => norm / grad_norm_before_clip[i]!),
  )
}

/** The settings are those of LAVIS's files. Its tables have steps that no epoch of the data would reach. */
function largestRateDifference({ settings, rows }: RateTable): number {
  const setting = (name: string) => Number(settings[name])
  const stepsPerEpoch = 1 + Math.max(...rows.map(([, step]) => step))
  const schedule = {
    kind: 'lavis',
    peak: setting('init_lr'),
    min: setting('min_lr'),
    warmupSteps: setting('warmup_steps'),
    warmupStart: setting('warmup_lr'),
    epochs: setting('max_epoch'),
    stepsPerEpoch,
  } as const
  const differences = rows.map(([epoch, step, rate]) =>
    Math.abs(learningRate(schedule, epoch * stepsPerEpoch + step) - rate),
  )
  return Math.max(...differences)
}

/** The names that fall into another group than the reference's, out of those of the model beside this folder. */
async function checkGroups(path: string, groups: readonly Group[]): Promise<Check[]> {
  const { tensors } = await openCheckpoint(join(path, '..', 'lavis-qformer', 'model.safetensors'))
  const wrong = groups.flatMap(({ weight_decay, params }) =>
    params.filter((name) => {
      const shape = tensors.get(name)?.shape
      return shape === undefined || decays(name, shape) !== weight_decay > 0
    }),
  )
  const name = 'weight_decay_groups_stage1_tiny_model'
  return [{ folder: basename(path), variant: 'decay groups', name, difference: wrong.length, tolerance: 0 }]
}
