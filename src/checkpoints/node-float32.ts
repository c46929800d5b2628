/**
 * Checkpoints of 16-bit floats on a processor that computes in float32. Their weights are widened once, into files that are kept, rather
 * than in every session of ONNX Runtime: sessions share one mapping of a file, and each would hold a copy of its own in memory.
 */
import { createHash } from 'node:crypto'
import { rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { CheckpointError } from '../errors.ts'
import { openCheckpoint } from './node.ts'
import { makeDraftFolder } from './node-drafts.ts'
import { errorCode, fileError, formatBytes, freeBytes } from './node-errors.ts'
import { fileState, type HalfTensors, widenFile } from './node-widen.ts'
import type { Checkpoint } from './safetensors.ts'

/** Part of the name of a widened file; to be raised when its content changes for the same source. */
const formatVersion = 1

/** Bytes of 16-bit weights that are widened, of those that are to be. */
export interface WidenProgress {
  readonly loadedBytes: number
  readonly totalBytes: number
}

export interface Float32Options {
  /** Widened files are kept in its subfolder `float32`. To delete them costs the time to widen again, nothing else. */
  readonly cacheDir: string
  readonly signal?: AbortSignal
  /** Not called where nothing is to be widened. */
  readonly onProgress?: (progress: WidenProgress) => void
}

/** 16-bit floats, and the file that has or will have them as float32. */
interface Source extends HalfTensors {
  readonly target: string
}

/**
 * The checkpoint with F32 tensors in place of its F16 and BF16 ones. They point into files of `cacheDir`, written at first use; all
 * other tensors stay where they are, and a checkpoint without 16-bit floats is returned as it is. The values are those of `readTensor`,
 * bit for bit. Throws CheckpointError, or the signal's reason; then no file is left that looks whole and is not.
 */
export async function float32Checkpoint(checkpoint: Checkpoint, options: Float32Options): Promise<Checkpoint> {
  options.signal?.throwIfAborted()
  const folder = join(options.cacheDir, 'float32')
  const sources = await findSources(checkpoint, folder)
  if (sources.length === 0) return checkpoint

  const missing: Source[] = []
  for (const source of sources) if ((await openWidened(source)) === undefined) missing.push(source)
  if (missing.length > 0) await widenAll(missing, folder, options)

  const tensors = new Map(checkpoint.tensors)
  const widenedFiles: Checkpoint['files'][number][] = []
  for (const source of sources) {
    const widened = await openWidened(source)
    if (widened === undefined) throw new CheckpointError(`${source.target}: gone or damaged since it was written`)
    for (const { name } of source.tensors) tensors.set(name, widened.tensors.get(name)!)
    widenedFiles.push(...widened.files)
  }
  const used = new Set(Array.from(tensors.values(), ({ file }) => file))
  const files = [...checkpoint.files.filter(({ path }) => used.has(path)), ...widenedFiles]
  return { tensors, files, metadata: checkpoint.metadata }
}

/** `BLIP2_CACHE`, else the folder `blip2` where the system keeps caches. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  if (env.BLIP2_CACHE) return resolve(env.BLIP2_CACHE)
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'blip2')
  // A path that is not absolute is to be ignored (XDG Base Directory Specification 0.8).
  const caches = env.XDG_CACHE_HOME ?? ''
  return join(isAbsolute(caches) ? caches : join(homedir(), '.cache'), 'blip2')
}

async function findSources({ tensors }: Checkpoint, folder: string): Promise<Source[]> {
  const halves = [...tensors.values()].filter(({ dtype }) => dtype === 'F16' || dtype === 'BF16')
  const sources: Source[] = []
  for (const file of new Set(halves.map((tensor) => tensor.file))) {
    const found = halves.filter((tensor) => tensor.file === file)
    const stats = await stat(file, { bigint: true }).catch((error) => Promise.reject(fileError(error, file)))
    const state = fileState(stats)
    const layout = found.map(({ name, dtype, shape, offset }) => [name, dtype, shape, offset])
    const key = createHash('sha256')
      .update(JSON.stringify([formatVersion, file, state, layout]))
      .digest('hex')
    sources.push({ file, state, tensors: found, target: join(folder, `${key.slice(0, 32)}.safetensors`) })
  }
  return sources
}

/** The widened file, if it is there and whole. */
async function openWidened({ target, tensors }: Source): Promise<Checkpoint | undefined> {
  const widened = await openCheckpoint(target).catch(() => undefined)
  const whole = tensors.every(({ name, length }) => widened?.tensors.get(name)?.length === 2 * length)
  return whole ? widened : undefined
}

/** Writes the widened files one after the other. Those that are finished stay when a later one fails. */
async function widenAll(sources: readonly Source[], folder: string, options: Float32Options): Promise<void> {
  const totalBytes = sum(sources)
  let loadedBytes = 0
  const advance = (bytes: number) => {
    loadedBytes += bytes
    options.onProgress?.({ loadedBytes, totalBytes })
    options.signal?.throwIfAborted()
  }
  const drafts = await makeDraftFolder(folder).catch((error) => refuse(folder, 2 * totalBytes, error))
  try {
    const free = await freeBytes(folder)
    if (free !== undefined && free < 2 * totalBytes) await refuse(folder, 2 * totalBytes)
    advance(0)
    for (const [i, source] of sources.entries()) {
      const draft = join(drafts, basename(source.target))
      await widenFile(source, draft, advance).catch((error) =>
        isDiskFull(error) ? refuse(folder, 2 * sum(sources.slice(i)), error) : Promise.reject(error),
      )
      await keep(draft, source)
    }
  } finally {
    await rm(drafts, { recursive: true, force: true })
  }
}

/** Moves a draft to its place, unless another process was faster: that one's file may be mapped by now. */
async function keep(draft: string, source: Source): Promise<void> {
  if ((await openWidened(source)) !== undefined) return
  await rename(draft, source.target).catch(async (error) => {
    // Windows does not replace a file that is open.
    if ((await openWidened(source)) === undefined) throw fileError(error, source.target)
  })
}

/** Throws why the folder cannot take the weights (without a `cause`: it has too little space), and the ways out. */
async function refuse(folder: string, neededBytes: number, cause?: unknown): Promise<never> {
  const needed = `the weights widened to float32 need ${formatBytes(neededBytes)}`
  const others = 'set BLIP2_CACHE (option cacheDir) to another folder, or use an F32 checkpoint'
  if (cause !== undefined && !isDiskFull(cause))
    throw new CheckpointError(`${fileError(cause, folder).message}; ${needed} there: ${others}`, { cause })
  const free = await freeBytes(folder)
  const found = free === undefined ? 'less is free' : `${formatBytes(free)} are free`
  throw new CheckpointError(`${folder}: ${needed}, ${found}; free some space, ${others}`, { cause })
}

/** Whether the disk, or the user's share of it, is full; also where that is the cause of a CheckpointError. */
function isDiskFull(error: unknown): boolean {
  const code = errorCode(error instanceof CheckpointError ? error.cause : error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** Bytes of all tensors. */
function sum(sources: readonly HalfTensors[]): number {
  return sources.flatMap(({ tensors }) => tensors).reduce((bytes, { length }) => bytes + length, 0)
}
