/**
 * WebDataset shards: tar files in which the parts of a sample stand one behind the other under one name, `000012.jpg`, `000012.txt`.
 * They are streamed: a pass mixes the shards and, in a buffer of samples, what they hold; memory is that of the buffer.
 * Source of the layout: github.com/webdataset/webdataset. Captions are in `.txt` (one a line) or in the `caption` of `.json`.
 */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { ReadableStream } from 'node:stream/web'
import { createTarDecoder, type ParsedTarEntry } from 'modern-tar'
import { DataError } from '../errors.ts'
import { randomFor } from '../random.ts'
import { shuffled } from './list.ts'
import type { Sample, Source } from './sample.ts'
import { parseJson, sampleFromRow } from './table.ts'

/** A tar file, and what keys call it. */
export interface Shard {
  readonly path: string
  readonly name: string
}

export interface ShardOptions {
  /** Samples that are mixed at a time. Their images are in memory. Default 1,000. */
  readonly buffer?: number | undefined
}

/** Bytes that are read at once. With the 64 KiB that streams read by default, a shard takes three times as long (decision 0018). */
const readStep = 2 ** 20

/** Throws a DataError for a file that is damaged or cut short, when its turn comes. */
export function shardSource(name: string, shards: readonly Shard[], { buffer = 1000 }: ShardOptions = {}): Source {
  const counts: number[] = []
  return {
    name,
    async size(enough = Number.POSITIVE_INFINITY, signal) {
      let size = 0
      for (let i = 0; i < shards.length && size < enough; i++) {
        counts[i] ??= await count(samplesOf(shards[i] as Shard, signal))
        size += counts[i] as number
      }
      return size
    },
    async *pass(number, { seed, skip, signal }) {
      const random = randomFor(`${seed}:${name}:${number}:buffer`)
      let left = skip
      const held: Sample[] = []
      for (const index of shuffled(shards.length, `${seed}:${name}:${number}`)) {
        for await (const sample of samplesOf(shards[index] as Shard, signal)) {
          held.push(sample)
          if (held.length < buffer) continue
          const drawn = takeOne(held, random)
          if (left-- <= 0) yield drawn
        }
      }
      while (held.length > 0) {
        const drawn = takeOne(held, random)
        if (left-- <= 0) yield drawn
      }
    },
  }
}

/** Whether there are 1,024 zeros at the end, as in every whole tar file: one that was cut between two files shows in no other way. */
export async function endsAsTar(path: string): Promise<boolean> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    const end = new Uint8Array(1024)
    const { bytesRead } = await handle.read(end, 0, end.length, Math.max(size - end.length, 0))
    return size % 512 === 0 && bytesRead === end.length && end.every((byte) => byte === 0)
  } finally {
    await handle.close()
  }
}

function takeOne(held: Sample[], random: () => number): Sample {
  const at = Math.floor(random() * held.length)
  const drawn = held[at] as Sample
  held[at] = held.at(-1) as Sample
  held.pop()
  return drawn
}

async function count(samples: AsyncIterable<Sample>): Promise<number> {
  let size = 0
  for await (const _ of samples) size++
  return size
}

async function* samplesOf(shard: Shard, signal: AbortSignal | undefined): AsyncGenerator<Sample> {
  for await (const parts of groups(shard.path)) {
    signal?.throwIfAborted()
    const sample = sampleOf(shard, parts)
    if (sample) yield sample
  }
}

/** Files of one sample: name without ending, and content by ending. */
interface Parts {
  readonly key: string
  readonly content: Map<string, Uint8Array>
}

async function* groups(path: string): AsyncGenerator<Parts> {
  let parts: Parts | undefined
  try {
    // Not Readable.toWeb, which in Node 20 throws where nobody can catch it when it is left at a bad moment.
    const bytes = ReadableStream.from<Uint8Array>(createReadStream(path, { highWaterMark: readStep }))
    for await (const entry of bytes.pipeThrough(createTarDecoder({ strict: true })) as AsyncIterable<ParsedTarEntry>) {
      const [, key, ending] = /^((?:.*\/)?[^./]+)\.([^/]+)$/.exec(entry.header.name) ?? []
      if (entry.header.type !== 'file' || key === undefined || ending === undefined) {
        await entry.body.cancel()
        continue
      }
      if (parts && parts.key !== key) {
        yield parts
        parts = undefined
      }
      parts ??= { key, content: new Map() }
      parts.content.set(ending.toLowerCase(), await contentOf(entry))
    }
  } catch (cause) {
    const said = (cause as Error).message.replace(/\.$/, '')
    throw new DataError(`${path}: cannot be read as a tar file: ${said}; is it whole?`, { cause })
  }
  if (parts) yield parts
}

/** A Response around the body would copy it once more. */
async function contentOf({ header, body }: ParsedTarEntry): Promise<Uint8Array> {
  const content = new Uint8Array(header.size)
  let at = 0
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
    content.set(piece, at)
    at += piece.length
  }
  return content
}

const imageEndings = ['jpg', 'jpeg', 'png', 'webp']

/** Undefined for a sample without an image or without a file for its text. */
function sampleOf(shard: Shard, { key: name, content }: Parts): Sample | undefined {
  const image = imageEndings.map((ending) => content.get(ending)).find((bytes) => bytes !== undefined)
  const [text, json] = [content.get('txt'), content.get('json')]
  const key = `${shard.name}: ${name}`
  if (!image || !(text ?? json)) return undefined
  try {
    const row = text ? { caption: decode(text).split('\n') } : parseJson(decode(json as Uint8Array), `${key}.json`)
    return { ...sampleFromRow(row, key), image, imageKey: key }
  } catch (error) {
    if (error instanceof DataError) return { key, texts: [], error }
    throw error
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
