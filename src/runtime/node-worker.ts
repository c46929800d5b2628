/** The thread in which ONNX Runtime works: `run` blocks it, and nothing else. */
import { MessageChannel, workerData } from 'node:worker_threads'
import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { SessionError } from '../errors.ts'
import type { AdamWOptions, AdamWResult } from '../optim/adamw.ts'
import type { Part } from '../optim/variable.ts'
import type { CacheRows, CacheShapes, Port, SessionOptions, Tensor, TensorData, VariableSet } from './device.ts'
import { isTensorType } from './feeds.ts'
import { GrowingCache } from './growing.ts'
import { type ChannelData, serve, Transfer } from './node-channel.ts'
import { ResidentVariables } from './resident.ts'

/** What the thread does for `node-device.ts`. Sessions, caches and variables are known by numbers that the caller chooses. */
export interface WorkerFunctions {
  /** Answers as soon as ONNX Runtime is loaded. */
  ready(): void
  createSession(id: number, model: Uint8Array, how: Omit<SessionOptions, 'name'>): { inputs: Port[]; outputs: Port[] }
  /** Returns `outputs`, and the cache's rows. */
  run(id: number, feeds: Record<string, Tensor>, outputs: readonly string[], residents: Residents): RunResult
  disposeSession(id: number): void
  createCache(id: number, entries: CacheShapes): void
  rewind(id: number, rows: number | CacheRows): CacheRows
  disposeCache(id: number): void
  createVariables(id: number, variables: VariableSet, step: number): void
  readVariable(id: number, name: string, part: Part): Float32Array
  writeVariable(id: number, name: string, data: Float32Array, part: Part): void
  update(id: number, options: AdamWOptions): AdamWResult & { step: number }
  disposeVariables(id: number): void
}

/** What a run reads and changes in this thread, beside its feeds and outputs. */
export interface Residents {
  readonly cache?: CacheUse
  readonly variables?: VariableUse
}

/** Cache entries that a graph reads (`past.NAME`) and appends to (`present.NAME`). */
export interface CacheUse {
  readonly id: number
  readonly past: readonly string[]
  readonly present: readonly string[]
}

/** Variables that a graph reads (by their names) and whose gradients it computes (`gradient.NAME`). */
export interface VariableUse {
  readonly id: number
  readonly read: readonly string[]
  readonly gradients: readonly string[]
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
const variableSets = new Map<number, ResidentVariables>()
/** A closed port: buffers that are moved to it are freed at once, and not when the garbage is next collected. */
const bin = new MessageChannel().port1

bin.close()

env.logLevel = 'fatal'

serve<WorkerFunctions>({
  ready() {},

  async createSession(id, model, how) {
    const session = await InferenceSession.create(model, sessionOptions(how))
    sessions.set(id, session)
    return { inputs: session.inputMetadata.map(port), outputs: session.outputMetadata.map(port) }
  },

  async run(id, feeds, outputs, residents) {
    const session = sessions.get(id) as InferenceSession
    const inputs: Feeds = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, ortTensor(tensor)]))
    const fetches: Fetches = Object.fromEntries(outputs.map((name) => [name, null]))
    const takeRows = residents.cache && useCache(residents.cache, inputs, fetches)
    const takeGradients = residents.variables && useVariables(residents.variables, inputs, fetches)

    const results = await session.run(inputs, fetches)
    const rows = takeRows?.(results)
    takeGradients?.(results)
    const returned = outputs.map((name) => [name, tensor(results[name] as OrtTensor)] as const)
    const buffers = new Set(returned.map(([, { data }]) => data.buffer as ArrayBuffer))
    return new Transfer({ outputs: Object.fromEntries(returned), ...(rows && { rows }) }, [...buffers])
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

  createVariables(id, variables, step) {
    variableSets.set(id, new ResidentVariables(variables, step))
  },

  readVariable(id, name, part) {
    const data = (variableSets.get(id) as ResidentVariables).read(name, part)
    return new Transfer(data, [data.buffer])
  },

  writeVariable(id, name, data, part) {
    variableSets.get(id)?.write(name, data, part)
  },

  update(id, options) {
    const variables = variableSets.get(id) as ResidentVariables
    const result = variables.update(options)
    return { ...result, step: variables.step }
  },

  disposeVariables(id) {
    variableSets.delete(id)
  },
})

type Feeds = Record<string, OrtTensor>
type Fetches = Record<string, OrtTensor | null>
type Results = InferenceSession.OnnxValueMapType

/** Feeds the entries `past`, asks for those in `present`; the returned function appends these and says how many rows there are. */
function useCache({ id, past, present }: CacheUse, inputs: Feeds, fetches: Fetches): (results: Results) => CacheRows {
  const cache = caches.get(id) as GrowingCache
  for (const name of past) inputs[`past.${name}`] = ortTensor(cache.read(name))
  for (const name of present) fetches[`present.${name}`] = null
  return (results) => {
    cache.append(Object.fromEntries(present.map((name) => [name, tensor(results[`present.${name}`] as OrtTensor)])))
    return cache.rows
  }
}

/**
 * Feeds the variables, asks for gradients; the returned function adds these up. ONNX Runtime writes the first gradient of a variable
 * where it belongs. It returns a copy of it all the same, which nobody needs: gradients of 186 M parameters are 0.7 GB, and two dead
 * sets of them would lie beside the activations of the next run.
 */
function useVariables(
  { id, read, gradients }: VariableUse,
  inputs: Feeds,
  fetches: Fetches,
): (results: Results) => void {
  const variables = variableSets.get(id) as ResidentVariables
  for (const name of read) inputs[name] = ortTensor(variables.tensor(name, 'value'))
  for (const name of gradients) {
    const target = variables.gradientTarget(name)
    fetches[`gradient.${name}`] = target ? ortTensor(target) : null
  }
  return (results) => {
    const computed = gradients.map((name) => [name, tensor(results[`gradient.${name}`] as OrtTensor)] as const)
    variables.addGradients(Object.fromEntries(computed))
    const copies = new Set(computed.map(([, { data }]) => data.buffer as ArrayBuffer))
    bin.postMessage(undefined, [...copies])
  }
}

/**
 * Without prepacking, float32 weights stay mapped from their file: no second copy. Without arena and memory pattern the
 * memory of a large batch goes back to the system after it (142 MB at most and 4 MB kept, against 480 and 361 with both; six
 * feed-forward layers on 4096 rows), and a decoding step is no slower (8.3 ms against 8.5; 24 layers). A training step, whose
 * tensors of many sizes leave gaps in the heap, needs less with the arena (bench/README.md).
 */
function sessionOptions({ weightsFolder, keepsMemory = false }: SessionOptions): InferenceSession.SessionOptions {
  return {
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    enableCpuMemArena: keepsMemory,
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
