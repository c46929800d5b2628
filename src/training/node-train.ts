/** A training run: batches in, checkpoints, log, report and a model out. Killed at any moment, it goes on as if it had not been. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileError } from '../checkpoints/node-errors.ts'
import { lockFolder } from '../checkpoints/node-lock.ts'
import { ConfigError } from '../errors.ts'
import { type DeviceOptions, openDevice } from '../runtime/node.ts'
import { machineMemory } from '../runtime/node-memory.ts'
import { fullSizes } from './activations.ts'
import { createMeter } from './meter.ts'
import { type Batches, openBatches, partSize } from './node-batches.ts'
import { lastRun, type SavedRun } from './node-checkpoints.ts'
import { MAKER, makerOf, writeModel } from './node-finish.ts'
import { buildGraphs, type Graphs } from './node-graphs.ts'
import { openKeeper } from './node-keeper.ts'
import { featureBytes } from './node-kept-features.ts'
import { openRunLog } from './node-run-log.ts'
import { identityOf, type Setup, type SetupOptions, setUp } from './node-setup.ts'
import { isFresh } from './node-starting-weights.ts'
import { runSteps, type Watcher } from './node-steps.ts'
import { beginVariables, weightTensors } from './node-variables.ts'
import { type Facts, makePlan, type Plan } from './plan.ts'
import type { Recipe } from './recipe.ts'

export interface TrainOptions extends SetupOptions, Watcher, Pick<DeviceOptions, 'threads'> {
  /** Go on with the run that the output folder holds. */
  readonly resume?: boolean
  readonly onPlan?: (facts: Facts) => void
  /** An abort saves a state after the step at work, and rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Trains as the recipe says and returns the folder of the finished model. Throws our errors, or the signal's reason. */
export async function train(recipe: Recipe, options: TrainOptions): Promise<string> {
  const output = resolve(recipe.output)
  const states = join(output, 'checkpoints')
  const model = join(output, 'model')
  const saved = await lastRun(states)
  if (saved && !options.resume)
    throw new ConfigError(
      `output: ${output} holds a run of ${saved.step} steps; go on with --resume, or choose another folder`,
    )
  const setup = await setUp(recipe, options)
  const identity = identityOf(recipe, setup)
  if (saved && saved.identity !== identity)
    throw new ConfigError(
      `output: ${output} holds a run of another recipe, or from other weights; choose another folder, or delete it`,
    )
  const maker = await makerOf(model)
  if (maker === null && !saved)
    throw new ConfigError(`output: ${model} is there already, and no run has made it; choose another folder`)
  if (saved?.step === recipe.steps && maker === identity) {
    options.onNotice?.(`all ${saved.step} steps are done already`)
    return model
  }
  await mkdir(states, { recursive: true }).catch((error) => {
    throw fileError(error, states)
  })
  const unlock = await lockFolder(output, 'train.lock')
  try {
    await trainOn({ recipe, setup, identity, saved, output, states, model }, options)
    return model
  } finally {
    await unlock()
  }
}

interface Work {
  readonly recipe: Recipe
  readonly setup: Setup
  readonly identity: string
  /** The state to go on from. */
  readonly saved: SavedRun | undefined
  readonly output: string
  readonly states: string
  readonly model: string
}

async function trainOn(work: Work, options: TrainOptions): Promise<void> {
  const { recipe, setup, identity, saved, output, states } = work
  const device = await openDevice(options)
  let batches: Batches | undefined
  try {
    const graphs = buildGraphs(device, setup.config, setup.objective, setup.weights, { recompute: recipe.recompute })
    const { facts, warning } = planOf(work, graphs)
    options.onPlan?.(facts)
    if (warning !== undefined) options.onNotice?.(warning)
    const variables = await beginVariables(device, recipe, setup, graphs, saved)

    const log = await openRunLog(output, saved?.step ?? 0)
    batches = await openBatches({
      recipe,
      setup,
      graphs,
      output,
      from: saved?.next ?? 0,
      encoderSeconds: saved?.encoder_seconds ?? null,
      onBad(key, reason) {
        options.onNotice?.(`left out: ${reason}`)
        return log.appendBad(key, reason)
      },
    })
    const meter = createMeter({
      state: saved?.meter,
      now: () => performance.now(),
      memory: () => process.memoryUsage().rss,
    })
    const { onLine, onStep, onPart, signal, threads } = options
    const watcher = { ...(onLine && { onLine }), ...(onStep && { onStep }), ...(onPart && { onPart }) }
    const shared = { recipe, setup, graphs, variables, log, ...watcher }
    const keeper = openKeeper({ ...shared, output, states, facts, ...(threads !== undefined && { threads }) })
    if (saved) await keeper.complete(saved)
    await runSteps({ ...shared, batches, meter, keeper, identity, signal }, saved?.step ?? 0)
    signal?.throwIfAborted()
    await writeModel(work.model, {
      config: setup.finishedConfig,
      trained: weightTensors(variables),
      frozen: graphs.frozen,
      tokenizerFolder: setup.tokenizerFolder,
      qformerTokenizerFolder: setup.questions?.tokenizerFolder,
      metadata: {
        made_by: `${MAKER}: ${recipe.objective}, ${recipe.steps} steps, seed ${recipe.seed}`,
        run: identity,
      },
    })
  } finally {
    await batches?.close()
    await device.dispose()
  }
}

function planOf({ recipe, setup, saved }: Work, graphs: Graphs): Plan {
  const trained = [...graphs.shapes]
  const { max_text_length: tokens, cache_features } = recipe.data
  return makePlan({
    recipe,
    trained: trained.map(([, shape]) => shape),
    frozen: Array.from(graphs.frozen.values(), ({ shape }) => shape),
    fresh: saved ? undefined : trained.filter(([name]) => isFresh(name, setup.weights)).map(([, shape]) => shape),
    keptBytes: graphs.keptBytes(fullSizes(partSize(recipe), tokens, setup.config.num_query_tokens)),
    featureBytes: cache_features ? featureBytes(setup) : undefined,
    machine: machineMemory(),
  })
}
