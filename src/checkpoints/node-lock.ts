/** Locks on folders that only one process may write to. */
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DataError } from '../errors.ts'
import { isRunning, machineName } from './node-drafts.ts'
import { errorCode } from './node-errors.ts'

/** Milliseconds. A lock is touched so often, and holds for a while after the last touch where the process cannot be asked for. */
const touchInterval = 30_000
const lockHolds = 10 * touchInterval

/** Locks of this process. */
const held = new Set<string>()

/**
 * Takes the lock `name` in `folder`, which must be there; the returned function gives it back. That of a process that is gone is taken
 * over. Throws DataError where another one has it.
 */
export async function lockFolder(folder: string, name: string): Promise<() => Promise<void>> {
  const path = resolve(folder, name)
  const owner = `${await machineName()} ${process.pid}`
  for (;;) {
    try {
      await writeFile(path, owner, { flag: 'wx' })
      break
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    const holder = await holderOf(path, owner)
    if (holder !== undefined) {
      throw new DataError(`${folder}: in use by ${holder}; wait for it, or name another folder`)
    }
    await rm(path, { force: true })
  }
  held.add(path)
  const touch = () => {
    const now = new Date()
    utimes(path, now, now).catch(() => {}) // a lock that somebody deleted is their decision
  }
  const touching = setInterval(touch, touchInterval).unref()
  return async () => {
    clearInterval(touching)
    held.delete(path)
    await rm(path, { force: true })
  }
}

/** Who holds the lock, or undefined where they are gone. */
async function holderOf(path: string, owner: string): Promise<string | undefined> {
  if (held.has(path)) return 'this process'
  const found = await readFile(path, 'utf8').catch(() => owner)
  if (found === owner) return undefined // an earlier process had the number of this one
  const [machine, pid] = found.split(' ')
  if (machine === owner.split(' ')[0]) return isRunning(Number(pid)) ? `process ${pid}` : undefined
  const touched = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )
  return Date.now() - touched < lockHolds ? `process ${pid} of another machine` : undefined
}
