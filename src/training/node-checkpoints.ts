/**
 * The states of a run on disk, each a folder `step-0001000` with weights, both moments of AdamW and the place in the data. A folder
 * appears by one rename when all of it is on the disk, so a run can be killed at any moment: what has the name is whole.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint } from '../checkpoints/node.ts'
import { makeDraftFolder, removeAbandonedDrafts } from '../checkpoints/node-drafts.ts'
import { errorCode, fileError } from '../checkpoints/node-errors.ts'
import { syncFolder, type TensorToWrite, writeAtomically, writeSafetensors } from '../checkpoints/node-write.ts'
import type { Checkpoint } from '../checkpoints/safetensors.ts'
import { CheckpointError } from '../errors.ts'
import type { MeterState } from './meter.ts'

/** What a run goes on from, beside the tensors. */
export interface RunState {
  /** Updates that were made. */
  readonly step: number
  /** Samples of the stream that were taken. */
  readonly next: number
  /** Mean loss over the validation batches, where there are any. */
  readonly validation_loss: number | null
  /** Of the run (`identityOf`): states of another one are refused. */
  readonly identity: string
  /** What the next line of the log will tell of, so far. */
  readonly meter: MeterState
  /** Of the frozen image encoder, for an image, where its features are kept; null before it is known. */
  readonly encoder_seconds: number | null
}

export interface SavedRun extends RunState {
  readonly folder: string
  /** The trained weights by name. */
  readonly weights: Checkpoint
  /** The moments by name, `exp_avg.NAME` and `exp_avg_sq.NAME`. */
  readonly moments: Checkpoint
}

/**
 * Writes a state and returns its folder; one of this step that is there already stays, since the same run makes the same state. Throws
 * CheckpointError, e.g. for a full disk; nothing of the state is left then.
 */
export async function saveRun(
  folder: string,
  state: RunState,
  tensors: { readonly weights: readonly TensorToWrite[]; readonly moments: readonly TensorToWrite[] },
): Promise<string> {
  const name = stepName(state.step)
  const target = join(folder, name)
  if ((await steps(folder)).includes(state.step)) return target
  const drafts = await makeDraftFolder(folder)
  try {
    const draft = join(drafts, name)
    await mkdir(draft)
    await writeSafetensors(join(draft, 'weights.safetensors'), tensors.weights)
    await writeSafetensors(join(draft, 'moments.safetensors'), tensors.moments)
    await writeAtomically(join(draft, 'state.json'), [JSON.stringify(state)])
    await rename(draft, target)
    await syncFolder(folder)
    return target
  } catch (error) {
    throw errorCode(error) === undefined ? error : fileError(error, target)
  } finally {
    await rm(drafts, { recursive: true, force: true })
  }
}

/** The last state, or undefined before the first. Throws CheckpointError for one that cannot be read. */
export async function lastRun(folder: string): Promise<SavedRun | undefined> {
  const last = (await steps(folder)).at(-1)
  return last === undefined ? undefined : openRun(join(folder, stepName(last)))
}

export async function openRun(folder: string): Promise<SavedRun> {
  try {
    const state = await readState(folder)
    const weights = await openCheckpoint(join(folder, 'weights.safetensors'))
    const moments = await openCheckpoint(join(folder, 'moments.safetensors'))
    return { ...state, folder, weights, moments }
  } catch (error) {
    const { message } = fileError(error, folder)
    throw new CheckpointError(`${message}; delete ${folder} to go on from the state before`, { cause: error })
  }
}

async function readState(folder: string): Promise<RunState> {
  const file = join(folder, 'state.json')
  const text = await readFile(file, 'utf8')
  try {
    return JSON.parse(text) as RunState
  } catch (cause) {
    throw new CheckpointError(`${file}: not JSON: ${(cause as Error).message}`, { cause })
  }
}

export interface BestRun {
  readonly step: number
  readonly validation_loss: number
}

/** The state of the least validation loss, the earlier one of two; undefined where none has been validated. */
export async function bestRun(folder: string): Promise<BestRun | undefined> {
  let best: BestRun | undefined
  for (const step of await steps(folder)) {
    // A state that cannot be read is noticed by whoever wants to go on from it.
    const state = await readState(join(folder, stepName(step))).catch(() => undefined)
    const { validation_loss = null } = state ?? {}
    if (validation_loss === null || (best && best.validation_loss <= validation_loss)) continue
    best = { step, validation_loss }
  }
  return best
}

/** Removes all states but the last `keep` and the best one, and what runs that were killed have left. */
export async function pruneRuns(folder: string, keep: number): Promise<void> {
  await removeAbandonedDrafts(folder)
  const all = await steps(folder)
  const best = await bestRun(folder)
  const old = all.slice(0, -keep).filter((step) => step !== best?.step)
  if (old.length === 0) return
  // Out of sight by a rename first, so that no half removed one has the name.
  const drafts = await makeDraftFolder(folder)
  for (const step of old) await rename(join(folder, stepName(step)), join(drafts, stepName(step)))
  await rm(drafts, { recursive: true, force: true })
}

async function steps(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw fileError(error, folder)
  })
  return names
    .flatMap((name) => /^step-(\d{7,})$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/** `step-0001000` */
export function stepName(step: number): string {
  return `step-${String(step).padStart(7, '0')}`
}
