/** Writing a folder that is either complete or not there. */
import { cp, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { writeSafetensors } from '../../checkpoints/node.ts'
import { makeDraftFolder } from '../../checkpoints/node-drafts.ts'
import { errorCode, fileError, formatBytes, freeBytes, writeError } from '../../checkpoints/node-errors.ts'
import { CheckpointError } from '../../errors.ts'
import { type PlannedTensor, splitShards } from './plan.ts'
import type { SpanReader } from './spans.ts'

export interface FolderToWrite {
  readonly tensors: readonly PlannedTensor[]
  readonly metadata: Readonly<Record<string, string>>
  /** Largest number of bytes in one file of weights. */
  readonly shardBytes: number
  /** Written as JSON. */
  readonly config: unknown
  /** Files, and folders, that are copied as they are. */
  readonly copied: readonly string[]
}

/** Throws CheckpointError for a folder with something in it, and for a file. */
export async function checkEmpty(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error) => {
    if (errorCode(error) === 'ENOENT') return []
    throw fileError(error, folder)
  })
  if (found.length > 0)
    throw new CheckpointError(`${folder}: there are files in it already; name a new folder, or remove them first`)
}

/**
 * Writes everything into a draft beside `folder`, and gives it its name when it is complete. `onBytes` is told the bytes of each piece.
 * Throws CheckpointError, or the signal's reason; then `folder` is as it was. Returns the names of the files.
 */
export async function writeFolder(
  folder: string,
  content: FolderToWrite,
  reader: SpanReader,
  onBytes: (bytes: number) => void,
): Promise<string[]> {
  const target = resolve(folder)
  const parent = dirname(target)
  const needed = content.tensors.reduce((sum, { length }) => sum + length, 0)
  const drafts = await makeDraftFolder(parent).catch((error) => Promise.reject(fileError(error, parent)))
  try {
    const free = await freeBytes(parent)
    if (free !== undefined && free < needed)
      throw new CheckpointError(
        `${parent}: ${formatBytes(needed)} are to be written, ${formatBytes(free)} are free; free some space or choose another folder`,
      )
    const draft = join(drafts, basename(target))
    await mkdir(draft)
    const written = await fill(draft, content, reader, onBytes)
    await reader.checkUnchanged()
    await rmdir(target).catch(() => {}) // an empty one, which Windows does not replace
    await rename(draft, target)
    return written
  } catch (error) {
    throw errorCode(error) === undefined ? error : await writeError(error, target, needed)
  } finally {
    await rm(drafts, { recursive: true, force: true })
  }
}

async function fill(
  draft: string,
  { tensors, metadata, shardBytes, config, copied }: FolderToWrite,
  reader: SpanReader,
  onBytes: (bytes: number) => void,
): Promise<string[]> {
  async function* counted(tensor: PlannedTensor): AsyncGenerator<Uint8Array> {
    for await (const piece of reader.pieces(tensor.spans)) {
      yield piece
      onBytes(piece.length)
    }
  }
  const shards = splitShards(tensors, shardBytes)
  const weightMap: Record<string, string> = {}
  for (const [i, shard] of shards.entries()) {
    const file = shardName(i + 1, shards.length)
    await writeSafetensors(
      join(draft, file),
      shard.map((tensor) => ({ ...tensor, data: counted(tensor) })),
      metadata,
    )
    for (const { name } of shard) weightMap[name] = file
  }
  if (shards.length > 1) {
    const total_size = tensors.reduce((sum, { length }) => sum + length, 0)
    await writeJson(join(draft, 'model.safetensors.index.json'), { metadata: { total_size }, weight_map: weightMap })
  }
  for (const file of copied) await cp(file, join(draft, basename(file)), { dereference: true, recursive: true })
  if (config !== undefined) await writeJson(join(draft, 'config.json'), config)
  return (await readdir(draft)).sort()
}

/** As transformers names them. */
function shardName(number: number, of: number): string {
  const digits = (n: number) => String(n).padStart(5, '0')
  return of === 1 ? 'model.safetensors' : `model-${digits(number)}-of-${digits(of)}.safetensors`
}

async function writeJson(path: string, value: unknown): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
