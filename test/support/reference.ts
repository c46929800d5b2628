/** Folders of the reference tree: inputs and expected tensors, and the numbers beside them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint, readTensor } from '../../src/checkpoints/node.ts'
import type { Checkpoint } from '../../src/checkpoints/safetensors.ts'
import { type Blip2Config, parseBlip2Config } from '../../src/models/config.ts'
import type { Tensor } from './tensors.ts'

export interface Reference {
  /** Absolute path of the folder. */
  readonly folder: string
  /** cases.json. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Names of the tensors in cases.safetensors. */
  readonly names: readonly string[]
  /** A tensor of cases.safetensors. Rejects when it is not there. */
  tensor(name: string): Promise<Tensor>
}

export async function openReference(folder: string): Promise<Reference> {
  const facts = await readJson(join(folder, 'cases.json'))
  const { tensors } = await openCheckpoint(join(folder, 'cases.safetensors'))
  return {
    folder,
    facts,
    names: [...tensors.keys()],
    tensor: (name) => tensorOf(tensors, name),
  }
}

/** The configuration beside the weights of a folder. */
export async function referenceConfig(folder: string): Promise<Blip2Config> {
  return parseBlip2Config(await readJson(join(folder, 'config.json')), join(folder, 'config.json'))
}

/** One tensor of a checkpoint, widened to float32 if it is stored as halves. */
export async function tensorOf(tensors: Checkpoint['tensors'], name: string): Promise<Tensor> {
  const stored = tensors.get(name)
  if (!stored) throw new Error(`${name} is not in the file`)
  const data = await readTensor(stored)
  return { dtype: data instanceof BigInt64Array ? 'int64' : 'float32', shape: stored.shape, data } as Tensor
}

export async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
}
