/**
 * WebDataset shards: tar files in which the parts of a sample stand one behind the other under one name, `000012.jpg`, `000012.txt`.
 * They are streamed: a pass mixes the shards and, in a buffer of samples, what they hold; memory is that of the buffer.
 * Source of the layout: github.com/webdataset/webdataset. Captions are in `.txt` (one a line) or in the `caption` of `.json`.
 */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { createTarDecoder } from 'modern-tar'
import { DataError } from '../errors.ts'
import { randomFor } from '../random.ts'
import { shuffled } from './list.ts'
import type { Sample, Source } from './sample.ts'
import { sampleFromFields } from './table.ts'

export interface ShardOptions {
  /** Samples that are mixed at a time. Their images are in memory. Default 1,000. */
  readonly buffer?: number
}

export function shardSource(name: string, files: readonly string[], { buffer = 1000 }: ShardOptions = {}): Source {
  let size: Promise<number> | undefined
  return {
    name,
    size() {
      size ??= count(files)
      return size
    },
    async *pass(number, { seed, skip }) {
      const random = randomFor(`${seed}:${name}:${number}:buffer`)
      let left = skip
      const held: Sample[] = []
      for await (const sample of samplesOf(files, shuffled(files.length, `${seed}:${name}:${number}`))) {
        held.push(sample)
        if (held.length < buffer) continue
        const drawn = takeOne(held, random)
        if (left-- <= 0) yield drawn
      }
      while (held.length > 0) {
        const drawn = takeOne(held, random)
        if (left-- <= 0) yield drawn
      }
    },
  }
}

function takeOne(held: Sample[], random: () => number): Sample {
  const at = Math.floor(random() * held.length)
  const drawn = held[at] as Sample
  held[at] = held.at(-1) as Sample
  held.pop()
  return drawn
}

async function* samplesOf(files: readonly string[], order: Uint32Array): AsyncGenerator<Sample> {
  for (const index of order) {
    const file = files[index] as string
    for await (const parts of groups(file)) {
      const sample = sampleOf(file, parts)
      if (sample) yield sample
    }
  }
}

async function count(files: readonly string[]): Promise<number> {
  let size = 0
  for await (const _ of samplesOf(
    files,
    Uint32Array.from(files, (_, i) => i),
  ))
    size++
  return size
}

/** Files of one sample: name without ending, and content by ending. */
interface Parts {
  readonly key: string
  readonly content: Map<string, Uint8Array>
}

async function* groups(file: string): AsyncGenerator<Parts> {
  let parts: Parts | undefined
  try {
    const entries = Readable.toWeb(createReadStream(file)).pipeThrough(createTarDecoder()) as ReadableStream
    for await (const { header, body } of entries) {
      const [, key, ending] = /^((?:.*\/)?[^./]+)\.(.+)$/.exec(header.name) ?? []
      if (header.type !== 'file' || key === undefined || ending === undefined) {
        await body.cancel()
        continue
      }
      if (parts && parts.key !== key) {
        yield parts
        parts = undefined
      }
      parts ??= { key, content: new Map() }
      parts.content.set(ending.toLowerCase(), new Uint8Array(await new Response(body).arrayBuffer()))
    }
  } catch (cause) {
    throw new DataError(`${file}: cannot be read as a tar file: ${(cause as Error).message}; is it whole?`, { cause })
  }
  if (parts) yield parts
}

const imageEndings = ['jpg', 'jpeg', 'png', 'webp']

/** Undefined for a sample without an image or without a text. */
function sampleOf(file: string, { key, content }: Parts): Sample | undefined {
  const image = imageEndings.map((ending) => content.get(ending)).find((bytes) => bytes !== undefined)
  const where = `${file}: ${key}`
  const text = content.get('txt')
  const json = content.get('json')
  const lines = text && new TextDecoder().decode(text).split('\n')
  const fields = lines ? { caption: lines } : json ? parse(json, where) : undefined
  if (!image || !fields) return undefined
  return { ...sampleFromFields(fields, where), key: where, image }
}

function parse(bytes: Uint8Array, where: string): Record<string, unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new DataError(`${where}.json: not JSON: ${(cause as Error).message}`, { cause })
  }
}
