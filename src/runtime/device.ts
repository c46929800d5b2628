/** What computes graphs: a device holds sessions (loaded models), and caches and variables (tensors that stay beside them). */
import type { AdamWOptions, AdamWResult } from '../optim/adamw.ts'
import type { Part } from '../optim/variable.ts'

/** Element types that cross the border between a caller and a device; bool is one byte an element, 0 or 1. */
export type TensorType = 'float32' | 'int64' | 'int32' | 'uint8' | 'bool'
export type TensorData = Float32Array | BigInt64Array | Int32Array | Uint8Array

/** Row-major values; `data` has exactly as many elements as `shape` says. */
export interface Tensor {
  readonly dtype: TensorType
  readonly shape: readonly number[]
  readonly data: TensorData
}

/** A graph input or output: name, element type, and sizes of which some are only known by name until the graph runs. */
export interface Port {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly (number | string)[]
}

/** One place to compute, with its own sessions, caches and variables. Everything rejects with a SessionError, also when it is gone. */
export interface Device {
  readonly name: 'cpu'
  /** Loads the bytes of an ONNX model. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>
  /** Entries by name, each with the shape of one row: an entry `[items, size]` holds tensors (rows, items, size). */
  createCache(entries: CacheShapes): Cache
  /** Variables that are 0 and have no gradient. `step` is the number of updates that a training to be continued has had. */
  createVariables(variables: VariableSet, step?: number): Promise<Variables>
  /** Gives back the sessions, the caches, the variables and the thread; whatever is still running is rejected. Twice is fine. */
  dispose(): Promise<void>
}

export interface SessionOptions {
  /** What errors call this model; `model` when absent. */
  readonly name?: string
  /** Absolute folder that holds every external weight file, symbolic links resolved. */
  readonly weightsFolder?: string
  /** Keep the memory of a run for the next one: right for runs alike, one behind the other, as in training. Default: it goes back at once. */
  readonly keepsMemory?: boolean
}

export interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /** Runs the graph once. The caller's arrays are copied, so they may change as soon as `run` has returned its promise. */
  run(inputs: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<Record<string, Tensor>>
  /** Runs that were asked for before still finish. Twice is fine. */
  dispose(): Promise<void>
}

export interface RunOptions {
  /**
   * Feeds every graph input `past.NAME` from entry NAME and appends every graph output `present.NAME` to it, inside the
   * device: neither crosses to the caller. When the run fails, the cache is as before.
   */
  readonly cache?: Cache
  /**
   * Feeds every graph input that has the name of a variable from it, and adds every graph output `gradient.NAME` to the
   * gradient of variable NAME, inside the device. When the run fails, the gradients are as before.
   */
  readonly variables?: Variables
  /** The outputs to return; when absent all, but not those that go to the cache or to the variables. */
  readonly outputs?: readonly string[]
}

export type CacheShapes = Readonly<Record<string, readonly number[]>>
export type CacheRows = Readonly<Record<string, number>>

/** Append-only float32 tensors that live beside the sessions, all growing along axis 0 (sequence-first keys and values). */
export interface Cache {
  /** Rows of every entry after the runs and rewinds that have finished. */
  readonly rows: CacheRows
  /**
   * Forgets the rows after the first `rows`, of every entry (a number) or of the named ones. What has fewer stays as it
   * is. `const asked = cache.rows; …; await cache.rewind(asked)` asks a second question about the same image.
   */
  rewind(rows: number | CacheRows): Promise<void>
  /** Gives the memory back. Twice is fine. */
  dispose(): Promise<void>
}

/** Variables by name: as a rule the trainable parameters of a model, under their published names. */
export type VariableSet = Readonly<Record<string, VariableOptions>>

export interface VariableOptions {
  readonly shape: readonly number[]
  /** Share of itself that it loses in an update, times the learning rate. 0 when absent. */
  readonly weightDecay?: number
  /** Its own factor on the learning rate. 1 when absent. */
  readonly rateFactor?: number
}

/** Named float32 tensors that live beside the sessions and change: parameters in training, with their gradients and moments. */
export interface Variables {
  readonly shapes: Readonly<Record<string, readonly number[]>>
  /** Updates that have finished. With every variable's value, exp_avg and exp_avg_sq it is all that a checkpoint needs. */
  readonly step: number
  /** A copy of a variable's value, gradient (of the runs since the last update) or moment, row-major. */
  read(name: string, part?: Part): Promise<Float32Array>
  /** Puts another in its place. The caller's array is copied. */
  write(name: string, data: Float32Array, part?: Part): Promise<void>
  /**
   * One step of AdamW with the gradients that the runs since the last update have added up, which are then gone. Every variable
   * must have one. When a gradient is not finite, nothing changes, and it can be read.
   */
  update(options: AdamWOptions): Promise<AdamWResult>
  /** Forgets them; their memory goes back with the next garbage of the device, or with the device. Twice is fine. */
  dispose(): Promise<void>
}
