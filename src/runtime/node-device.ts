import type { Cache, CacheShapes, Device, Session, SessionOptions, VariableSet, Variables } from './device.ts'
import { attempt } from './failures.ts'
import { CpuCache } from './node-cache.ts'
import { Channel } from './node-channel.ts'
import { CpuSession } from './node-session.ts'
import { CpuVariables } from './node-variables.ts'
import type { WorkerFunctions, WorkerOptions } from './node-worker.ts'

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

  async createSession(model: Uint8Array, { name = 'model', ...how }: SessionOptions = {}): Promise<Session> {
    const id = this.ids++
    const where = `session ${name}`
    const bytes = attempt(where, () => new Uint8Array(model))
    const ports = await this.channel.call(where, 'createSession', [id, bytes, how], [bytes.buffer])
    return new CpuSession(this.channel, id, where, ports)
  }

  createCache(entries: CacheShapes): Cache {
    return new CpuCache(this.channel, this.ids++, entries)
  }

  createVariables(variables: VariableSet, step = 0): Promise<Variables> {
    return CpuVariables.create(this.channel, this.ids++, variables, step)
  }

  async dispose(): Promise<void> {
    await this.channel.close('the device was disposed')
  }
}
