/** What a run is about, in a few bytes: a digest that changes with the images and the texts. */
import { createHash, type Hash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fileError } from '../../checkpoints/node-errors.ts'
import { fileState } from '../../checkpoints/node-widen.ts'
import { DataError } from '../../errors.ts'
import { EncodedImage, type ImageInput, isPixels } from '../image.ts'
import { unreadableError } from './node-images.ts'

/**
 * Files count with their path, size and time of the last change, addresses as they are written, what is in memory with its bytes. Unless
 * `skipUnreadable`, throws DataError for a file that is not there: rather now than after hours.
 */
export async function imagesDigest(images: readonly ImageInput[], skipUnreadable: boolean): Promise<string> {
  const hash = createHash('sha256')
  for (const image of images) await addImage(hash, image, skipUnreadable)
  return hash.digest('hex')
}

export function textsDigest(texts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex')
}

async function addImage(hash: Hash, image: ImageInput, skipUnreadable: boolean): Promise<void> {
  if (image instanceof EncodedImage) {
    throw new DataError('an image that was encoded for the language model cannot be retrieved; give the image itself')
  }
  if (typeof image === 'string' || image instanceof URL)
    hash.update(JSON.stringify([String(image), await stateOf(image, skipUnreadable)]))
  else if (image instanceof Uint8Array) addBytes(hash, image)
  else if (image instanceof Blob) addBytes(hash, new Uint8Array(await image.arrayBuffer()))
  else if (isPixels(image)) addBytes(hash.update(`${image.width} `), image.data)
}

function addBytes(hash: Hash, bytes: Uint8Array): void {
  hash.update(`${bytes.length} `).update(bytes)
}

async function stateOf(source: string | URL, skipUnreadable: boolean): Promise<string> {
  if (/^(?:https?|data):/i.test(String(source))) return ''
  const path = /^file:/i.test(String(source)) ? fileURLToPath(source) : source
  try {
    return fileState(await stat(path, { bigint: true }))
  } catch (error) {
    if (skipUnreadable) return ''
    throw unreadableError(fileError(error, String(source)).message)
  }
}
