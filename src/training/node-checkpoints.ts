/**
 * The states of a run on disk, each a folder `step-0001000` with weights, both moments of AdamW and the place in the data. A folder
 * appears by one rename when all of it is on the disk, so a run can be killed at any moment: what has the name is whole.
 */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint } from '../checkpoints/node.ts'
import { makeDraftFolder } from '../checkpoints/node-drafts.ts'
import { fileError } from '../checkpoints/node-errors.ts'
import { syncFolder, type TensorToWrite, writeAtomically, writeSafetensors } from '../checkpoints/node-write.ts'
import type { Checkpoint } from '../checkpoints/safetensors.ts'
import { CheckpointError } from '../errors.ts'

/** What a run goes on from, beside the tensors. */
export interface RunState {
  /** Updates that were made. */
  readonly step: number
  /** Samples of the stream that were taken. */
  readonly next: number
  /** Mean loss over the validation batches, where there are any. */
  readonly validation_loss: number | null
  /** SHA-256 of the recipe and of what it names, as `run.json` has it. */
  readonly identity: string
}

export interface SavedRun extends RunState {
  readonly folder: string
  /** The trained weights by name. */
  readonly weights: Checkpoint
  /** The moments by name, `exp_avg.NAME` and `exp_avg_sq.NAME`. */
  readonly moments: Checkpoint
}

/** Writes a state; one of this step that is there already stays, since the same run makes the same state. */
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
    throw fileError(error, target)
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
  const file = join(folder, 'state.json')
  try {
    const state = JSON.parse(await readFile(file, 'utf8')) as RunState
    const weights = await openCheckpoint(join(folder, 'weights.safetensors'))
    const moments = await openCheckpoint(join(folder, 'moments.safetensors'))
    return { ...state, folder, weights, moments }
  } catch (error) {
    if (error instanceof SyntaxError) throw new CheckpointError(`${file}: not JSON: ${error.message}`, { cause: error })
    throw fileError(error, folder)
  }
}

/** Removes all states but the last `keep` and the best one by validation loss. */
export async function pruneRuns(folder: string, keep: number): Promise<void> {
  const all = await steps(folder)
  const losses = await Promise.all(
    all.map(async (step) => {
      const text = await readFile(join(folder, stepName(step), 'state.json'), 'utf8').catch(() => '{}')
      return (JSON.parse(text) as Partial<RunState>).validation_loss ?? Number.POSITIVE_INFINITY
    }),
  )
  const best = losses.indexOf(Math.min(...losses))
  const old = all.filter((_, i) => i < all.length - keep && !(i === best && Number.isFinite(losses[i])))
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

function stepName(step: number): string {
  return `step-${String(step).padStart(7, '0')}`
}
