/**
 * One file from the hub into the cache: resumed where it stopped, checked by its hash, whole or not there.
 *
 * The library's own `downloadFile` is not used for the bytes: it starts from zero each time, tells no progress, takes no abort signal,
 * does not notice a server that ignores the range it was asked for, and checks no hash (@huggingface/hub 2.17).
 */
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { CheckpointError } from '../errors.ts'
import type { HubFile } from './hub.ts'
import { errorCode, fileError, formatBytes, writeError } from './node-errors.ts'
import { writeFully } from './node-write.ts'

export interface TransferOptions {
  /** Rejects for a refusal of the hub, and with a TypeError where the network fails, as the standard says. */
  readonly fetch: typeof fetch
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
  /** How many failures in a row, without a byte between them, are tried again. */
  readonly retries: number
  /** Called with the bytes that are there, of this file. */
  readonly onBytes: (bytes: number) => void
}

/** Bytes that are in the partial file, and their hash so far. */
interface Partial {
  position: number
  hash: Hash
}

/**
 * Fetches `url` into `target`. While it runs, and after an abort or a failure, the bytes are in `target.incomplete`, from where the next
 * call goes on. Two processes that fetch the same file write the same bytes to the same places, which is wasteful and harmless.
 */
export async function fetchFile(file: HubFile, url: string, target: string, options: TransferOptions): Promise<void> {
  const incomplete = `${target}.incomplete`
  let filled = await fill(incomplete, file, url, options)
  // What was there before may be the culprit: another program's, or of a disk that was full.
  if (filled === 'wrong after resuming') filled = await fill(incomplete, file, url, options)
  if (filled !== 'right')
    throw new CheckpointError(
      `${file.path}: the content does not have the hash ${file.oid} that the hub states; try again`,
    )
  await rename(incomplete, target).catch(async (error) => {
    const theOtherProcessDid = (await stat(target).catch(() => undefined))?.size === file.size
    if (!theOtherProcessDid) throw fileError(error, target)
  })
}

/** Whether the network failed, rather than the hub, the disk or this program: fetch reports that with a TypeError. */
export function isNetworkFailure(error: unknown): error is TypeError {
  return error instanceof TypeError
}

/** Completes the partial file and checks its hash; a wrong one is emptied. */
async function fill(
  incomplete: string,
  file: HubFile,
  url: string,
  options: TransferOptions,
): Promise<'right' | 'wrong' | 'wrong after resuming'> {
  try {
    const handle = await open(incomplete, constants.O_RDWR | constants.O_CREAT)
    try {
      const partial = await readPartial(handle, file)
      const resumed = partial.position > 0
      await receive(handle, partial, file, url, options)
      const right = partial.hash.digest('hex') === file.oid
      await (right ? handle.sync() : handle.truncate(0))
      return right ? 'right' : resumed ? 'wrong after resuming' : 'wrong'
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw errorCode(error) === undefined ? error : await writeError(error, incomplete, file.size)
  }
}

/** Hashes what an earlier call left. More than the file has cannot be its beginning. */
async function readPartial(handle: FileHandle, file: HubFile): Promise<Partial> {
  const partial = { position: 0, hash: newHash(file) }
  const { size } = await handle.stat()
  if (size > file.size) {
    await handle.truncate(0)
    return partial
  }
  const buffer = new Uint8Array(1 << 20)
  while (partial.position < size) {
    const length = Math.min(buffer.length, size - partial.position)
    const { bytesRead } = await handle.read(buffer, 0, length, partial.position)
    if (bytesRead === 0) break
    partial.hash.update(buffer.subarray(0, bytesRead))
    partial.position += bytesRead
  }
  return partial
}

/** sha256 of the content, or git's sha1, which is over a header and the content. */
function newHash({ oid, size }: HubFile): Hash {
  return oid.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/** Requests until all bytes are there. A connection that breaks is taken up again, unless it gives nothing several times. */
async function receive(
  handle: FileHandle,
  partial: Partial,
  file: HubFile,
  url: string,
  options: TransferOptions,
): Promise<void> {
  let failures = 0
  options.onBytes(partial.position)
  while (partial.position < file.size) {
    const before = partial.position
    try {
      await receiveOnce(handle, partial, file, url, options)
    } catch (error) {
      if (!isNetworkFailure(error) || options.signal?.aborted) throw error
      failures = partial.position > before ? 1 : failures + 1
      if (failures > options.retries) {
        const progress = `${formatBytes(partial.position)} of ${formatBytes(file.size)}`
        throw new TypeError(`${file.path}: the connection broke after ${progress}`, { cause: error })
      }
      await delay(500 * 2 ** (failures - 1), undefined, { signal: options.signal })
    }
  }
}

async function receiveOnce(
  handle: FileHandle,
  partial: Partial,
  file: HubFile,
  url: string,
  { fetch, headers, signal, onBytes }: TransferOptions,
): Promise<void> {
  const range = partial.position > 0 ? { range: `bytes=${partial.position}-` } : {}
  // "identity": a compressed answer has other lengths than the file.
  const init = { headers: { ...headers, ...range, 'accept-encoding': 'identity' }, signal: signal ?? null }
  const response = await fetch(url, init)
  if (partial.position > 0 && response.status !== 206) {
    await handle.truncate(0)
    Object.assign(partial, { position: 0, hash: newHash(file) })
  }
  for await (const chunk of response.body ?? []) {
    if (partial.position + chunk.length > file.size)
      throw new CheckpointError(`${file.path}: expected ${file.size} bytes, the server sends more; try again`)
    await writeFully(handle, chunk, partial.position)
    partial.hash.update(chunk)
    partial.position += chunk.length
    onBytes(partial.position)
  }
  if (partial.position < file.size) throw new TypeError('the answer ended too early')
}
