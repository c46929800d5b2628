/** The finished model as a checkpoint folder that every command takes: trained and frozen weights, configuration, tokenizer. */
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openCheckpoint, readBytes } from '../checkpoints/node.ts'
import { makeDraftFolder } from '../checkpoints/node-drafts.ts'
import { errorCode, fileError } from '../checkpoints/node-errors.ts'
import { syncFolder, type TensorToWrite, writeAtomically, writeSafetensors } from '../checkpoints/node-write.ts'
import { SCAFFOLD } from '../models/pretraining.ts'
import { QFORMER_TOKENIZER } from '../tasks/node-qformer-tokenizer.ts'
import type { FrozenWeight } from './trained-params.ts'

export interface FinishedModel {
  readonly config: Readonly<Record<string, unknown>>
  readonly trained: readonly TensorToWrite[]
  readonly frozen: ReadonlyMap<string, FrozenWeight>
  readonly tokenizerFolder: string
  /** Of the questions that the Q-Former reads. */
  readonly qformerTokenizerFolder: string | undefined
  /** Into the header of the weights: how the model was made, and the identity of the run. */
  readonly metadata: { readonly made_by: string; readonly run: string }
}

/** What `made_by` begins with. */
export const MAKER = 'blip2 train'

const tokenizerFiles =
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$|^(vocab|merges)\.txt$/

/** Writes `folder`, in place of one that is there. */
export async function writeModel(folder: string, model: FinishedModel): Promise<void> {
  const parent = dirname(folder)
  const drafts = await makeDraftFolder(parent)
  try {
    const draft = join(drafts, basename(folder))
    await mkdir(draft)
    const trained = model.trained.filter(({ name }) => !name.startsWith(`${SCAFFOLD}.`))
    const frozen = Array.from(model.frozen, ([name, weight]) => frozenTensor(name, weight))
    const metadata = { format: 'pt', ...model.metadata }
    await writeSafetensors(join(draft, 'model.safetensors'), [...trained, ...frozen], metadata)
    await writeAtomically(join(draft, 'config.json'), [`${JSON.stringify(model.config, null, 2)}\n`])
    await copyTokenizer(model.tokenizerFolder, draft)
    if (model.qformerTokenizerFolder !== undefined) {
      const folder = join(draft, QFORMER_TOKENIZER)
      await mkdir(folder)
      await copyTokenizer(model.qformerTokenizerFolder, folder)
    }
    await rm(folder, { recursive: true, force: true })
    await rename(draft, folder)
    await syncFolder(parent)
  } catch (error) {
    throw errorCode(error) === undefined ? error : fileError(error, folder)
  } finally {
    await rm(drafts, { recursive: true, force: true })
  }
}

async function copyTokenizer(from: string, to: string): Promise<void> {
  for (const name of await readdir(from))
    if (tokenizerFiles.test(name)) await copyFile(join(from, name), join(to, name))
}

/** The run that made the model in a folder: its identity; null for anything else that is there, undefined for nothing. */
export async function makerOf(folder: string): Promise<string | null | undefined> {
  const { metadata } = await openCheckpoint(folder).catch(() => ({ metadata: undefined }))
  if (metadata?.made_by?.startsWith(MAKER)) return metadata.run ?? null
  return (await stat(folder).catch(() => undefined)) === undefined ? undefined : null
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
