/**
 * Files that are not finished yet lie in a folder of the run that writes them: `writing.<machine>.<process>.<random>`. The next run sees
 * by the name that the writer is gone, and clears up after it.
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readlink, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { errorCode } from './node-errors.ts'

/** Milliseconds. A draft folder that has not changed for a day is given up, whoever made it. */
const longestRun = 24 * 60 * 60 * 1000

/** A new, empty folder for drafts inside `folder`, which is made too. What dead runs left there is removed. The caller removes it. */
export async function makeDraftFolder(folder: string): Promise<string> {
  await makeFolder(folder)
  await removeAbandonedDrafts(folder)
  return mkdtemp(join(folder, `writing.${await machineName()}.${process.pid}.`))
}

/** Removes what dead runs left there. */
export async function removeAbandonedDrafts(folder: string): Promise<void> {
  const machine = await machineName()
  for (const name of await readdir(folder))
    if (await isAbandoned(join(folder, name), name, machine))
      // Another run may be removing the same folder.
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
}

/** With those above it. Not by `recursive`, which calls a read-only file system ENOENT (Node 20). */
async function makeFolder(folder: string): Promise<void> {
  const make = () => mkdir(folder).catch((error) => (errorCode(error) === 'EEXIST' ? undefined : Promise.reject(error)))
  await make().catch(async (error) => {
    if (errorCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await make()
  })
}

async function isAbandoned(path: string, name: string, machine: string): Promise<boolean> {
  const [, writersMachine, pid] = /^writing\.(\w+)\.(\d+)\./.exec(name) ?? []
  if (pid === undefined) return false
  if (writersMachine === machine && !isRunning(Number(pid))) return true
  const changed = await stat(path).then(({ mtimeMs }) => mtimeMs, Date.now)
  return Date.now() - changed > longestRun
}

/** Whether there is a process of that number on this machine. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0) // signal 0 only asks
    return true
  } catch (error) {
    return errorCode(error) !== 'ESRCH'
  }
}

/** Where process numbers mean the same: the host, and in it the container, which may share the host's name and this folder. */
export async function machineName(): Promise<string> {
  const container = await readlink('/proc/self/ns/pid').catch(() => '')
  return createHash('sha256').update(`${hostname()} ${container}`).digest('hex').slice(0, 12)
}
