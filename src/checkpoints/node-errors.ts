/** Failures of the file system, in words: what happened, with numbers where they help, and what to try. */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CheckpointError } from '../errors.ts'

/** The code of a failed system call (`ENOENT`, …), or undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  const { code, errno } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  return errno === undefined ? undefined : code
}

/** A CheckpointError for a failed operation on `path`; any error that is one already is returned as it is. */
export function fileError(cause: unknown, path: string): CheckpointError {
  if (cause instanceof CheckpointError) return cause
  return new CheckpointError(`${path}: ${reason(cause)}`, { cause })
}

/** The same for an operation that writes: a full disk is explained by the bytes that were needed in all and the bytes that are free. */
export async function writeError(cause: unknown, path: string, neededBytes: number): Promise<CheckpointError> {
  const code = errorCode(cause)
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return fileError(cause, path)
  const folder = dirname(path)
  const free = await freeBytes(folder)
  const space = free === undefined ? '' : `, ${formatBytes(free)} are free`
  return new CheckpointError(
    `${path}: the disk is full: ${formatBytes(neededBytes)} are needed${space} in ${folder}; free some space or choose another folder`,
    { cause },
  )
}

/** Bytes that this user may still write in a folder, or undefined where the system does not tell. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return undefined
  }
}

/** `14.98 GB`, `812 bytes`: decimal units, as the hub shows them. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  const units = ['kB', 'MB', 'GB', 'TB']
  const power = Math.min(Math.floor(Math.log10(bytes) / 3), units.length)
  return `${(bytes / 1000 ** power).toPrecision(4)} ${units[power - 1]}`
}

function reason(cause: unknown): string {
  switch (errorCode(cause)) {
    case 'ENOENT':
      return 'no such file or folder'
    case 'ENOTDIR':
      return 'a part of this path is a file, not a folder'
    case 'EACCES':
    case 'EPERM':
      return 'no permission; check the owner and the mode of the file and of its folders'
    case 'ELOOP':
      return 'symbolic links that lead in a circle'
    case 'EMFILE':
      return 'too many open files'
    default:
      return cause instanceof Error ? cause.message : String(cause)
  }
}
