import { SessionError } from '../errors.ts'
import type {
  Cache,
  CacheRows,
  CacheShapes,
  Device,
  Port,
  RunOptions,
  Session,
  SessionOptions,
  Tensor,
} from './device.ts'
import { sessionError } from './failures.ts'
import { checkFeeds, copyTensor, describe, fits, nameList } from './feeds.ts'
import { Channel } from './node-channel.ts'
import type { CacheUse, WorkerFunctions, WorkerOptions } from './node-worker.ts'

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const workerEntry = new URL(`./node-worker.${extension}`, import.meta.url)

/** The CPU through ONNX Runtime in a thread of its own. */
export class CpuDevice implements Device {
  readonly name = 'cpu'
  readonly channel: Channel<WorkerFunctions>
  private ids = 0

  private constructor(options: WorkerOptions) {
    this.channel = new Channel(workerEntry, options)
  }

  /** Starts the thread and loads ONNX Runtime in it. */
  static async open(options: WorkerOptions): Promise<CpuDevice> {
    // Since 1.29 ONNX Runtime reports its use to its maker unless told not to; and while it prepares that report, it overflows its
    // stack on a command line of some 25,000 characters (`blip2 caption *.jpg`). It asks the process, not the thread's copy.
    process.env.ORT_DISABLE_TELEMETRY ??= '1'
    const device = new CpuDevice(options)
    await device.channel.call('device cpu', 'ready', [])
    return device
  }

  async createSession(model: Uint8Array, { name = 'model', weightsFolder }: SessionOptions = {}): Promise<Session> {
    const id = this.ids++
    const where = `session ${name}`
    const bytes = attempt(where, () => new Uint8Array(model))
    const ports = await this.channel.call(where, 'createSession', [id, bytes, weightsFolder], [bytes.buffer])
    return new CpuSession(this, id, where, ports)
  }

  createCache(entries: CacheShapes): Cache {
    return new CpuCache(this, this.ids++, entries)
  }

  async dispose(): Promise<void> {
    await this.channel.close('the device was disposed')
  }
}

class CpuSession implements Session {
  private readonly device: CpuDevice
  private readonly id: number
  private readonly where: string
  private readonly inputs: readonly Port[]
  private readonly outputs: readonly Port[]
  private disposed: Promise<void> | undefined

  constructor(device: CpuDevice, id: number, where: string, ports: { inputs: Port[]; outputs: Port[] }) {
    this.device = device
    this.id = id
    this.where = where
    this.inputs = ports.inputs
    this.outputs = ports.outputs
  }

  get inputNames(): readonly string[] {
    return this.inputs.map((port) => port.name)
  }

  get outputNames(): readonly string[] {
    return this.outputs.map((port) => port.name)
  }

  async run(feeds: Readonly<Record<string, Tensor>>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    const { where } = this
    if (this.disposed) throw new SessionError(`${where}: it was disposed`)
    const cache = options.cache && this.cacheOf(options.cache)
    const inputs = divide(this.inputs, cache && 'past.')
    const outputs = divide(this.outputs, cache && 'present.')
    const use = cache && {
      id: cache.id,
      past: this.entries(cache, inputs.cached),
      present: this.entries(cache, outputs.cached),
    }
    const fetched = this.fetched(options.outputs, outputs.open, use)
    checkFeeds(where, inputs.open, feeds)
    const copies = attempt(where, () =>
      Object.entries(feeds).map(([name, tensor]) => [name, copyTensor(tensor)] as const),
    )
    const { outputs: results, rows } = await this.device.channel.call(
      where,
      'run',
      [this.id, Object.fromEntries(copies), fetched, use],
      copies.map(([, copy]) => copy.data.buffer),
    )
    if (cache && rows) cache.rows = rows
    return results
  }

  dispose(): Promise<void> {
    this.disposed ??= this.device.channel.call(this.where, 'disposeSession', [this.id]).catch(gone)
    return this.disposed
  }

  private cacheOf(cache: Cache): CpuCache {
    if (!(cache instanceof CpuCache) || cache.device !== this.device) {
      throw new SessionError(`${this.where}: the cache belongs to another device`)
    }
    cache.check(this.where)
    return cache
  }

  /** Entries behind the `past.` or `present.` ports, whose shapes must agree with those that the cache was made for. */
  private entries(cache: CpuCache, ports: readonly Port[]): CacheUse['past'] {
    return ports.map((port) => {
      const name = port.name.slice(port.name.indexOf('.') + 1)
      const row = cache.entries[name]
      if (!row || port.dtype !== 'float32' || !fits([0, ...row], ['', ...port.shape.slice(1)])) {
        const found = row ? describe({ dtype: 'float32', shape: ['rows', ...row] }) : 'no such entry'
        throw new SessionError(`${this.where}: cache entry ${name}: expected ${describe(port)}, found ${found}`)
      }
      return name
    })
  }

  private fetched(asked: RunOptions['outputs'], ports: readonly Port[], use: CacheUse | undefined): readonly string[] {
    const names = new Set(ports.map((port) => port.name))
    const unknown = asked?.find((name) => !names.has(name))
    if (unknown !== undefined) {
      throw new SessionError(`${this.where}: there is no output ${unknown} to return; expected ${nameList(ports)}`)
    }
    const fetched = asked ?? [...names]
    if (fetched.length === 0 && !use?.present.length) throw new SessionError(`${this.where}: no output is asked for`)
    return fetched
  }
}

/** The ports that a cache serves, by their prefix, and those that are left to the caller: all when there is no cache. */
function divide(
  ports: readonly Port[],
  prefix: string | undefined,
): { cached: readonly Port[]; open: readonly Port[] } {
  const isCached = (port: Port) => prefix !== undefined && port.name.startsWith(prefix)
  return { cached: ports.filter(isCached), open: ports.filter((port) => !isCached(port)) }
}

class CpuCache implements Cache {
  readonly device: CpuDevice
  readonly id: number
  readonly entries: CacheShapes
  rows: CacheRows
  private disposed: Promise<void> | undefined

  constructor(device: CpuDevice, id: number, entries: CacheShapes) {
    for (const [name, row] of Object.entries(entries)) {
      if (row.every((size) => Number.isSafeInteger(size) && size > 0)) continue
      throw new SessionError(`cache entry ${name}: expected the positive sizes of a row, found (${row.join(', ')})`)
    }
    this.device = device
    this.id = id
    this.entries = entries
    this.rows = Object.fromEntries(Object.keys(entries).map((name) => [name, 0]))
    device.channel.call('cache', 'createCache', [id, entries]).catch(gone)
  }

  async rewind(rows: number | CacheRows): Promise<void> {
    this.check('cache: rewind')
    this.rows = await this.device.channel.call('cache: rewind', 'rewind', [this.id, rows])
  }

  dispose(): Promise<void> {
    this.disposed ??= this.device.channel.call('cache', 'disposeCache', [this.id]).catch(gone)
    return this.disposed
  }

  check(where: string): void {
    if (this.disposed) throw new SessionError(`${where}: the cache was disposed`)
  }
}

/** When the device is gone, so is what was to be given back; the next call that needs it says why. */
function gone(): void {}

function attempt<T>(where: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw sessionError(where, error)
  }
}
