/** What computes graphs: a device holds sessions (loaded models) and caches (tensors that stay beside them). */

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

/** One place to compute, with its own sessions and caches. Everything rejects with a SessionError, also when it is gone. */
export interface Device {
  readonly name: 'cpu'
  /** Loads the bytes of an ONNX model. */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>
  /** Entries by name, each with the shape of one row: an entry `[items, size]` holds tensors (rows, items, size). */
  createCache(entries: CacheShapes): Cache
  /** Gives back the sessions, the caches and the thread; whatever is still running is rejected. Twice is fine. */
  dispose(): Promise<void>
}

export interface SessionOptions {
  /** What errors call this model; `model` when absent. */
  readonly name?: string
  /** Absolute folder that holds every external weight file, symbolic links resolved. */
  readonly weightsFolder?: string
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
  /** The outputs to return; when absent all, but not those that go to the cache. */
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
