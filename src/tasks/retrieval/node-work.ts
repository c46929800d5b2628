/**
 * The folder of a run: what has been computed already, and a manifest that says of what. A run that ended before its end is continued
 * from it; a folder of another run is refused.
 */
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, fileError } from '../../checkpoints/node-errors.ts'
import { lockFolder } from '../../checkpoints/node-lock.ts'
import { writeAtomically } from '../../checkpoints/node-write.ts'
import { DataError } from '../../errors.ts'

/** Everything that the computed files depend on, as JSON values. */
export type Manifest = Readonly<Record<string, string | number | boolean>>

export interface WorkFolder {
  /** The path of one of the files below. */
  file(name: WorkFile): string
  /** Lets another run use the folder. The files stay. */
  close(): Promise<void>
}

const manifestName = 'retrieval.json'
const lockName = 'retrieval.lock'
const workFiles = [
  'images.records',
  'texts.records',
  'candidates.safetensors',
  'similarity.f32',
  'matches.records',
] as const
export type WorkFile = (typeof workFiles)[number]

/** A draft of `writeAtomically` that a kill has left. */
const draft = /^\.(?:retrieval\.json|candidates\.safetensors)\.[0-9a-f]+\.tmp$/

/**
 * Opens the folder of the run that `manifest` describes; makes it where there is none, and where `fresh`, empties it.
 * Throws DataError for a folder of another run, of something else, or that is in use.
 */
export async function openWork(folder: string, manifest: Manifest, fresh = false): Promise<WorkFolder> {
  try {
    await mkdir(folder, { recursive: true })
    const names = await readdir(folder)
    const strange = names.includes(manifestName) ? undefined : names.find((name) => !isOurs(name))
    if (strange !== undefined) {
      throw new DataError(
        `${folder}: no work folder of a retrieval, as it has ${strange} in it; name another, or a new one`,
      )
    }
    const close = await lockFolder(folder, lockName)
    try {
      if (fresh) await empty(folder)
      for (const name of await readdir(folder)) if (draft.test(name)) await rm(join(folder, name), { force: true })
      await checkManifest(folder, manifest)
    } catch (error) {
      await close()
      throw error
    }
    return { file: (name) => join(folder, name), close }
  } catch (error) {
    throw error instanceof DataError ? error : fileError(error, folder)
  }
}

/** Deletes what a run has left in the folder, and the folder if that was all. */
export async function removeWork(folder: string): Promise<void> {
  await empty(folder)
  await rm(join(folder, lockName), { force: true })
  await rmdir(folder).catch((error) => {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'ENOENT') throw fileError(error, folder)
  })
}

function isOurs(name: string): boolean {
  return name === manifestName || name === lockName || workFiles.some((file) => file === name) || draft.test(name)
}

/** The manifest goes first: without it the rest is not used. */
async function empty(folder: string): Promise<void> {
  for (const name of [manifestName, ...workFiles]) await rm(join(folder, name), { force: true })
}

async function checkManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, manifestName)
  const text = await readFile(path, 'utf8').catch((error) => {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) {
    await empty(folder)
    await writeAtomically(path, [JSON.stringify(manifest, undefined, 2)])
    return
  }
  const found = parsed(text)
  const names = [...new Set([...Object.keys(found), ...Object.keys(manifest)])]
  const others = names.filter((name) => found[name] !== manifest[name])
  if (others.length === 0) return
  const differences = others.map(
    (name) => `${name} was ${JSON.stringify(found[name])}, is ${JSON.stringify(manifest[name])}`,
  )
  throw new DataError(
    `${folder}: this is the work of another run: ${differences.join('; ')}. To continue it, run it as it was; to delete it ` +
      'and begin anew: --fresh (option fresh); to keep it: name another folder',
  )
}

function parsed(text: string): Manifest {
  try {
    return JSON.parse(text) as Manifest
  } catch {
    return {}
  }
}
