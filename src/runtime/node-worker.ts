/** The thread in which ONNX Runtime works: `run` blocks it, and nothing else. */
import { workerData } from 'node:worker_threads'
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { SessionError } from '../errors.ts'
import type { CacheRows, CacheShapes, Port, Tensor, TensorData } from './device.ts'
import { isTensorType } from './feeds.ts'
import { GrowingCache } from './growing.ts'
import { type ChannelData, serve, Transfer } from './node-channel.ts'

/** What the thread does for `node-device.ts`. Sessions and caches are known by numbers that the caller chooses. */
export interface WorkerFunctions {
  /** Answers as soon as ONNX Runtime is loaded. */
  ready(): void
  createSession(id: number, model: Uint8Array, weightsFolder?: string): { inputs: Port[]; outputs: Port[] }
  /** Returns `outputs`; those in `present` go to the cache, whose rows are returned, and `past` comes from it. */
  run(id: number, feeds: Record<string, Tensor>, outputs: readonly string[], cache?: CacheUse): RunResult
  disposeSession(id: number): void
  createCache(id: number, entries: CacheShapes): void
  rewind(id: number, rows: number | CacheRows): CacheRows
  disposeCache(id: number): void
}

/** Cache entries that a graph reads (`past.NAME`) and appends to (`present.NAME`). */
export interface CacheUse {
  readonly id: number
  readonly past: readonly string[]
  readonly present: readonly string[]
}

export interface RunResult {
  readonly outputs: Record<string, Tensor>
  readonly rows?: CacheRows
}

export interface WorkerOptions {
  readonly threads: number
}

const { threads } = (workerData as ChannelData).options as WorkerOptions
const silent = 4 // failures arrive as exceptions; ONNX Runtime need not print them too
const sessions = new Map<number, InferenceSession>()
const caches = new Map<number, GrowingCache>()

env.logLevel = 'fatal'

serve<WorkerFunctions>({
  ready() {},

  async createSession(id, model, weightsFolder) {
    const session = await InferenceSession.create(model, sessionOptions(weightsFolder))
    sessions.set(id, session)
    return { inputs: session.inputMetadata.map(port), outputs: session.outputMetadata.map(port) }
  },

  async run(id, feeds, outputs, use) {
    const session = sessions.get(id) as InferenceSession
    const cache = use && (caches.get(use.id) as GrowingCache)
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, ortTensor(tensor)]))
    for (const name of use?.past ?? []) inputs[`past.${name}`] = ortTensor((cache as GrowingCache).read(name))
    const present = (use?.present ?? []).map((name) => `present.${name}`)

    const results = await session.run(inputs, [...outputs, ...present])
    const fresh = use?.present.map((name) => [name, tensor(results[`present.${name}`] as OrtTensor)])
    if (fresh) cache?.append(Object.fromEntries(fresh))
    const returned = outputs.map((name) => [name, tensor(results[name] as OrtTensor)] as const)
    const buffers = new Set(returned.map(([, { data }]) => data.buffer as ArrayBuffer))
    return new Transfer({ outputs: Object.fromEntries(returned), ...(cache && { rows: cache.rows }) }, [...buffers])
  },

  async disposeSession(id) {
    await sessions.get(id)?.release()
    sessions.delete(id)
  },

  createCache(id, entries) {
    caches.set(id, new GrowingCache(entries))
  },

  rewind(id, rows) {
    const cache = caches.get(id) as GrowingCache
    cache.rewind(rows)
    return cache.rows
  },

  disposeCache(id) {
    caches.delete(id)
  },
})

/**
 * Without prepacking, float32 weights stay mapped from their file: no second copy. Without arena and memory pattern the
 * memory of a large batch goes back to the system after it (142 MB at most and 4 MB kept, against 480 and 361 with both; six
 * feed-forward layers on 4096 rows), and a decoding step is no slower (8.3 ms against 8.5; 24 layers).
 */
function sessionOptions(weightsFolder: string | undefined): InferenceSession.SessionOptions {
  return {
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: silent,
    extra: {
      session: {
        disable_prepacking: '1',
        ...(weightsFolder !== undefined && { model_external_initializers_file_folder_path: weightsFolder }),
      },
    },
  }
}

function port(metadata: InferenceSession.ValueMetadata): Port {
  if (!metadata.isTensor) throw new SessionError(`${metadata.name} is not a tensor`)
  return { name: metadata.name, dtype: metadata.type, shape: metadata.shape }
}

function ortTensor({ dtype, shape, data }: Tensor): OrtTensor {
  return new OrtTensor(dtype, data as Uint8Array, shape)
}

/** ONNX Runtime's outputs are arrays of their own, so they may be moved. */
function tensor({ type, dims, data }: OrtTensor): Tensor {
  if (!isTensorType(type)) throw new SessionError(`an output has dtype ${type}; cast it inside the graph`)
  return { dtype: type, shape: dims, data: data as TensorData }
}
