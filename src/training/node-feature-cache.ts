/**
 * The frozen encoder's output on disk as float16, so that later passes over the data skip the encoder. Two files that only grow:
 * `features.f16`, (patches, hidden size) of one image behind the other, and `features.index`, whose first record says what the features
 * are of, and each further one lists images. What a killed run has left behind the last listed image is cut off.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { narrowFloat16 } from '../checkpoints/narrow.ts'
import { fileError, writeError } from '../checkpoints/node-errors.ts'
import { readFully } from '../checkpoints/node-read.ts'
import { openRecords, type Records } from '../checkpoints/node-records.ts'
import { writeFully } from '../checkpoints/node-write.ts'
import { widenFloat16 } from '../checkpoints/widen.ts'
import { ConfigError, DataError } from '../errors.ts'

export interface FeatureCache {
  /** Images that are kept. */
  readonly count: number
  /** Bytes of their features. */
  readonly bytes: number
  has(key: string): boolean
  /**
   * Keeps `features` (keys, patches, hidden size), rounded to float16; those of keys that are there stay as they are. Throws DataError for
   * a number that float16 does not hold, CheckpointError for a full disk.
   */
  write(keys: readonly string[], features: Float32Array): Promise<void>
  /** (keys, patches, hidden size). All keys must be there. */
  read(keys: readonly string[]): Promise<Float32Array>
  close(): Promise<void>
}

/** Everything that the features depend on, as JSON values. */
export type FeatureIdentity = Readonly<Record<string, unknown>>

export interface FeatureShape {
  readonly patches: number
  readonly hiddenSize: number
}

/** Milliseconds. A list waits for the disk, which may take longer than the encoder does; a killed run loses what it had not listed. */
const listInterval = 5000

/** Opens or makes the cache in `folder`. Throws ConfigError for one with another identity or shape. */
export async function openFeatureCache(
  folder: string,
  identity: FeatureIdentity,
  { patches, hiddenSize }: FeatureShape,
): Promise<FeatureCache> {
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw fileError(error, folder)
  })
  const path = join(folder, 'features.f16')
  const index = await openRecords(join(folder, 'features.index'))
  let data: FileHandle | undefined
  try {
    data = await open(path, constants.O_RDWR | constants.O_CREAT)
    await checkIdentity(folder, index, { ...identity, patches, hiddenSize })
    const slotBytes = 2 * patches * hiddenSize
    const slots = await listedSlots(index, Math.floor((await data.stat()).size / slotBytes))
    await data.truncate(slots.size * slotBytes)
    return cache(path, index, data, slots, patches * hiddenSize)
  } catch (error) {
    await data?.close()
    await index.close()
    throw error instanceof ConfigError ? error : fileError(error, path)
  }
}

/** `slots` has the place of each key in the file, in units of `size` numbers. */
function cache(path: string, index: Records, data: FileHandle, slots: Map<string, number>, size: number): FeatureCache {
  let last: Promise<void> = Promise.resolve()
  /** Keys whose features are written and not listed yet. */
  let unlisted: string[] = []
  let listed = performance.now()

  /** Features are on the disk before they are listed, or a crash of the machine might leave them listed and not there. */
  async function list(): Promise<void> {
    if (unlisted.length === 0) return
    await data.datasync().catch((error) => {
      throw fileError(error, path)
    })
    await index.append(Buffer.from(JSON.stringify(unlisted)))
    unlisted = []
    listed = performance.now()
  }

  async function append(keys: readonly string[], features: Float32Array): Promise<void> {
    if (features.length !== keys.length * size) throw new RangeError(`${path}: ${features.length} numbers`)
    const fresh = [...new Set(keys)].filter((key) => !slots.has(key))
    if (fresh.length === 0) return
    const halves = new Uint16Array(fresh.length * size)
    for (const [i, key] of fresh.entries()) {
      const at = keys.indexOf(key) * size
      const unfit = narrowFloat16(features.subarray(at, at + size), halves.subarray(i * size, (i + 1) * size))
      if (unfit === -1) continue
      throw new DataError(
        `${key}: the image encoder gives ${features[at + unfit]}, which float16 does not hold; train without cache_features`,
      )
    }
    await writeFully(data, new Uint8Array(halves.buffer), slots.size * 2 * size).catch(async (error) => {
      throw await writeError(error, path, halves.byteLength)
    })
    for (const key of fresh) slots.set(key, slots.size)
    unlisted.push(...fresh)
    if (performance.now() - listed >= listInterval) await list()
  }

  return {
    get count() {
      return slots.size
    },
    get bytes() {
      return slots.size * 2 * size
    },
    has: (key) => slots.has(key),

    write(keys, features) {
      const written = last.then(() => append(keys, features))
      last = written.catch(() => {})
      return written
    },

    async read(keys) {
      const features = new Float32Array(keys.length * size)
      const wanted = keys.map((key, i) => {
        const slot = slots.get(key)
        if (slot === undefined) throw new RangeError(`${path}: no features of ${key}`)
        return { slot, target: features.subarray(i * size, (i + 1) * size) }
      })
      // In the order of the file, and several at a time.
      wanted.sort((a, b) => a.slot - b.slot)
      await Promise.all(
        wanted.map(async ({ slot, target }) => {
          const halves = new Uint16Array(size)
          const found = await readFully(data, new Uint8Array(halves.buffer), slot * 2 * size)
          if (found < halves.byteLength) throw fileError(new Error('cut short while it was in use'), path)
          widenFloat16(halves, target)
        }),
      )
      return features
    },

    async close() {
      await last
      try {
        await list()
      } finally {
        await data.close()
        await index.close()
      }
    },
  }
}

/** A new index gets the identity; another one's is refused. */
async function checkIdentity(folder: string, index: Records, identity: FeatureIdentity): Promise<void> {
  if (index.count === 0) return index.append(Buffer.from(JSON.stringify(identity)))
  const found = (await readRecord(index, 0)) as FeatureIdentity
  const text = (value: unknown) => JSON.stringify(value) ?? 'nothing'
  const differences = [...new Set([...Object.keys(found), ...Object.keys(identity)])]
    .filter((name) => text(found[name]) !== text(identity[name]))
    .map((name) => `${name} was ${text(found[name])}, is ${text(identity[name])}`)
  if (differences.length === 0) return
  throw new ConfigError(
    `${folder}: features of another run: ${differences.join('; ')}. Delete the folder, or choose another output`,
  )
}

/** The places of the listed keys. Drops the last lists if the file of the features has only room for `most`. */
async function listedSlots(index: Records, most: number): Promise<Map<string, number>> {
  const slots = new Map<string, number>()
  for (let record = 1; record < index.count; record++) {
    const keys = (await readRecord(index, record)) as string[]
    if (slots.size + keys.length > most) {
      await index.keep(record)
      break
    }
    for (const key of keys) slots.set(key, slots.size)
  }
  return slots
}

async function readRecord(index: Records, record: number): Promise<unknown> {
  const bytes = Buffer.alloc(index.size(record))
  await index.read(record, bytes)
  return JSON.parse(bytes.toString())
}
