/** Folders `hf-blip2-*`: every published file of the weights, both forms of the graphs, every named intermediate. */
import { basename, join } from 'node:path'
import { openCheckpoint } from '../../src/checkpoints/node.ts'
import type { Checkpoint } from '../../src/checkpoints/safetensors.ts'
import type { Target } from '../../src/graph/index.ts'
import { tiedNames } from '../../src/models/blip2.ts'
import type { Blip2Config } from '../../src/models/config.ts'
import { type Params, paramsFrom, storedParams } from '../../src/nn/index.ts'
import { training } from '../support/evaluate.ts'
import { openReference, type Reference, referenceConfig, tensorOf } from '../support/reference.ts'
import { compareAll, largestDifference, type Named, tolerances } from './compare.ts'
import { checkGeneration } from './generation.ts'
import { imageOutputs } from './hf-image.ts'
import { textOutputs } from './hf-text.ts'
import { attempt, type Check } from './report.ts'

/** Small expected sizes, for which every operator that has a fused form uses it. */
const targets: readonly Target[] = [{ purpose: 'inference', sizes: { batch: 1, tokens: 2, read: 2 } }, training]

export async function checkHfBlip2(path: string): Promise<Check[]> {
  const folder = basename(path)
  const reference = await openReference(path)
  const config = await referenceConfig(path)
  const checks: Check[] = []
  for (const target of targets) {
    for (const file of ['model.safetensors', 'sharded', 'pytorch_model.bin']) {
      const variant = `${file}, ${target.purpose}`
      checks.push(...(await attempt(folder, variant, () => checkFloats(reference, config, file, variant, target))))
    }
    for (const file of ['model.fp16.safetensors', 'model.bf16.safetensors']) {
      const variant = `${file}, ${target.purpose}`
      checks.push(...(await attempt(folder, variant, () => checkHalves(reference, config, file, variant, target))))
    }
  }
  checks.push(...(await attempt(folder, 'generate', () => checkGeneration(reference, config))))
  return checks
}

/** float32 weights, read where they lie, against the reference. */
async function checkFloats(
  reference: Reference,
  config: Blip2Config,
  file: string,
  variant: string,
  target: Target,
): Promise<Check[]> {
  const { tensors } = await openCheckpoint(join(reference.folder, file))
  const found = await modelOutputs(inFile(tensors), config, reference, target)
  const folder = basename(reference.folder)
  return compareAll({ folder, variant }, found, await expectedOutputs(reference), tolerances(reference.facts))
}

/**
 * Rounded weights, widened by the graph, against the same weights widened by our reader and kept in memory. How far the
 * result is from the float32 reference is noted.
 */
async function checkHalves(
  reference: Reference,
  config: Blip2Config,
  file: string,
  variant: string,
  target: Target,
): Promise<Check[]> {
  const { tensors } = await openCheckpoint(join(reference.folder, file))
  const found = await modelOutputs(inFile(tensors), config, reference, target)
  const expected = await modelOutputs(await inMemory(tensors), config, reference, training)
  const float32 = await expectedOutputs(reference)
  const folder = basename(reference.folder)
  return compareAll({ folder, variant }, found, expected, tolerances(reference.facts)).map((check) => ({
    ...check,
    note: `${largestDifference(found[check.name], float32[check.name]).toExponential(1)} from float32`,
  }))
}

async function modelOutputs(params: Params, config: Blip2Config, reference: Reference, target: Target): Promise<Named> {
  const pixelValues = await reference.tensor('in.pixel_values')
  const { named, queryEmbeds } = await imageOutputs(params, config, pixelValues, target)
  return { ...named, ...(await textOutputs({ params, config, queryEmbeds, target }, reference)) }
}

/** Every output of the reference but those of generation, which has checks of its own. */
async function expectedOutputs(reference: Reference): Promise<Named> {
  const names = reference.names.filter((name) => name.startsWith('out.') && name !== 'out.greedy_step_scores')
  const tensors = names.map(async (name) => [name.slice('out.'.length), await reference.tensor(name)] as const)
  return Object.fromEntries(await Promise.all(tensors))
}

function inFile(tensors: Checkpoint['tensors']): Params {
  return storedParams(tensors, { aliases: tiedNames }).params
}

async function inMemory(tensors: Checkpoint['tensors']): Promise<Params> {
  const all = [...tensors.keys()].map(async (name) => [name, await tensorOf(tensors, name)] as const)
  const values = new Map(await Promise.all(all))
  return paramsFrom((name) => {
    const stored = [name, ...(tiedNames[name] ?? [])].map((one) => values.get(one)).find((one) => one !== undefined)
    if (!stored) throw new Error(`${name} is not in the file`)
    return { kind: 'memory', values: stored.data as Float32Array }
  })
}
