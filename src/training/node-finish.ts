/** The finished model as a checkpoint folder that every command takes: trained and frozen weights, configuration, tokenizer. */
import { copyFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readBytes } from '../checkpoints/node.ts'
import { makeDraftFolder } from '../checkpoints/node-drafts.ts'
import { fileError } from '../checkpoints/node-errors.ts'
import { type TensorToWrite, writeAtomically, writeSafetensors } from '../checkpoints/node-write.ts'
import { SCAFFOLD } from '../models/pretraining.ts'
import type { FrozenWeight } from './trained-params.ts'

export interface FinishedModel {
  readonly config: Readonly<Record<string, unknown>>
  readonly trained: readonly TensorToWrite[]
  readonly frozen: ReadonlyMap<string, FrozenWeight>
  readonly tokenizerFolder: string
  /** Into the header of the weights: how the model was made. */
  readonly metadata: Readonly<Record<string, string>>
}

const tokenizerFiles =
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$|^(vocab|merges)\.txt$/

/** Writes `folder`, in place of one that is there. */
export async function writeModel(folder: string, model: FinishedModel): Promise<void> {
  const parent = join(folder, '..')
  const drafts = await makeDraftFolder(parent)
  try {
    const trained = model.trained.filter(({ name }) => !name.startsWith(`${SCAFFOLD}.`))
    const frozen = Array.from(model.frozen, ([name, weight]) => frozenTensor(name, weight))
    await writeSafetensors(join(drafts, 'model.safetensors'), [...trained, ...frozen], {
      format: 'pt',
      ...model.metadata,
    })
    await writeAtomically(join(drafts, 'config.json'), [`${JSON.stringify(model.config, null, 2)}\n`])
    for (const name of await readdir(model.tokenizerFolder))
      if (tokenizerFiles.test(name)) await copyFile(join(model.tokenizerFolder, name), join(drafts, name))
    await rm(folder, { recursive: true, force: true })
    await rename(drafts, folder)
  } catch (error) {
    throw fileError(error, folder)
  } finally {
    await rm(drafts, { recursive: true, force: true })
  }
}

const dtypes = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' } as const

function frozenTensor(name: string, { shape, data }: FrozenWeight): TensorToWrite {
  if (data.kind === 'memory') return { name, dtype: 'F32', shape, data: data.values }
  const dtype = dtypes[data.dtype as keyof typeof dtypes]
  async function* bytes(): AsyncGenerator<Uint8Array> {
    if (data.kind === 'file') yield new Uint8Array(await readBytes({ ...data, name, dtype, shape }))
  }
  return { name, dtype, shape, data: bytes() }
}
