/** Bytes of an image, wherever it is. Node only. */
import { createReadStream } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DataError } from '../errors.ts'

/** A path, an address (http:, https:, data:, file:), or bytes that are already here. */
export type ImageSource = string | URL | Uint8Array | Blob

/** No photo is larger; whatever is (a disk image, an endless stream) is not read into memory. Bytes. */
const mostBytes = 512 * 2 ** 20

/** What messages call the source: as the caller wrote it. */
export function sourceName(source: ImageSource): string {
  if (source instanceof Uint8Array) return `image of ${source.length} bytes`
  if (source instanceof Blob) return source instanceof File ? source.name : `image of ${source.size} bytes`
  const name = String(source)
  return name.startsWith('data:') ? `${name.slice(0, 30)}…` : name
}

/** Throws a DataError that names the source, or the signal's reason. */
export async function readSource(source: ImageSource, signal?: AbortSignal): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source
  try {
    return await joined(await open(source, signal))
  } catch (error) {
    signal?.throwIfAborted()
    throw new DataError(`${sourceName(source)}: ${reason(error)}`, { cause: error })
  }
}

async function open(source: string | URL | Blob, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (source instanceof Blob) return source.stream()
  const options = signal === undefined ? {} : { signal }
  if (!/^(?:https?|data):/i.test(String(source))) {
    return createReadStream(/^file:/i.test(String(source)) ? fileURLToPath(source) : source, options)
  }
  const response = await fetch(source, options)
  if (!response.ok || response.body === null) {
    await response.body?.cancel()
    throw new Error(
      `the server answered ${response.status} ${response.statusText}; does the address open in a browser?`,
    )
  }
  return response.body
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const kept: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > mostBytes) throw new Error(`more than ${mostBytes / 2 ** 20} MiB; is this an image?`)
    kept.push(chunk)
  }
  return Buffer.concat(kept)
}

/** An error of the file system or the network in words. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? error.cause : error
  switch ('code' in cause && cause.code) {
    case 'ENOENT':
      return 'no such file; a relative path starts at the current folder'
    case 'EISDIR':
      return 'is a folder; name the images in it, for example folder/*.jpg'
    case 'EACCES':
      return 'may not be read (permission denied)'
    default:
      return cause === error ? error.message : `cannot be fetched (${cause.message}); check the address and the network`
  }
}
