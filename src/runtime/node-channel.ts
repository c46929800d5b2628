/** Function calls across a worker thread: `Channel` on the caller's side, `serve` in the worker. */
import { type MessagePort, parentPort, type Transferable, Worker, workerData } from 'node:worker_threads'
import { SessionError } from '../errors.ts'
import { sendable, sessionError } from './failures.ts'
import { Gate } from './gate.ts'

/** The functions that a worker offers, as an interface of plain functions. */
type Functions<F> = { readonly [K in keyof F]: (...args: never[]) => unknown }

interface Request {
  readonly id: number
  readonly name: string
  readonly args: readonly never[]
}

type Reply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: unknown })

/** The last message: the worker ends. */
const goodbye = 'goodbye'

/** What a worker finds in `workerData`. */
export interface ChannelData {
  readonly options: unknown
  readonly gate: SharedArrayBuffer
}

interface Pending {
  readonly where: string
  resolve(value: never): void
  reject(error: SessionError): void
}

/**
 * A worker thread and the calls that wait for it. Calls are answered in the order in which they were made. When the worker
 * ends, for whatever reason, all pending and later calls reject. The process stays alive only while a call is pending.
 */
export class Channel<F extends Functions<F>> {
  readonly worker: Worker
  private readonly pending = new Map<number, Pending>()
  private calls = 0
  /** Why there will be no more answers. */
  private end: { readonly cause: unknown } | undefined
  private closing: Promise<void> | undefined
  private readonly gate = new Gate()
  /** When the process is ended in the middle of a call (process.exit, an uncaught error), the call finishes first. */
  private readonly finishCall = (): void => {
    this.gate.close()
    this.gate.wait(60_000)
  }

  constructor(entry: URL, options: unknown) {
    const workerData: ChannelData = { options, gate: this.gate.memory }
    this.worker = new Worker(entry, { workerData, name: 'blip2', ...inheritedArguments() })
    this.worker.on('message', (reply: Reply) => this.settle(reply))
    this.worker.on('messageerror', (error) => this.fail(error))
    this.worker.on('error', (error) => this.fail(error))
    this.worker.on('exit', (code) => {
      this.gate.leave()
      process.off('exit', this.finishCall)
      this.fail(new SessionError(`the worker thread ended (exit code ${code})`))
    })
    process.on('exit', this.finishCall)
  }

  /** Calls a function in the worker; `where` begins the message of its errors. Moves the buffers in `transfer`. */
  call<K extends keyof F & string>(
    where: string,
    name: K,
    args: Parameters<F[K]>,
    transfer: readonly Transferable[] = [],
  ): Promise<Awaited<ReturnType<F[K]>>> {
    return new Promise((resolve, reject) => {
      if (this.end) return reject(sessionError(where, this.end.cause))
      const request: Request = { id: this.calls++, name, args }
      try {
        this.worker.postMessage(request, transfer)
      } catch (error) {
        return reject(sessionError(where, error)) // something in `args` cannot be sent to a thread
      }
      this.pending.set(request.id, { where, resolve, reject })
      this.keepAlive()
    })
  }

  /** Rejects what is pending with `reason`, and ends the worker after the call that it may be in. Twice is fine. */
  close(reason: string): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      if (this.worker.threadId === -1) return resolve() // it has ended already
      this.gate.close()
      this.fail(new SessionError(reason))
      this.worker.once('exit', () => resolve())
      this.worker.postMessage(goodbye)
    })
    this.keepAlive()
    return this.closing
  }

  private settle(reply: Reply): void {
    const call = this.pending.get(reply.id)
    if (!call) return // it was rejected when the channel was closed
    this.pending.delete(reply.id)
    this.keepAlive()
    if ('error' in reply) call.reject(sessionError(call.where, reply.error))
    else call.resolve(reply.value as never)
  }

  private fail(cause: unknown): void {
    this.end ??= { cause }
    for (const { where, reject } of this.pending.values()) reject(sessionError(where, this.end.cause))
    this.pending.clear()
    this.keepAlive()
  }

  /** Holds the process while somebody waits for the worker, and only then. */
  private keepAlive(): void {
    if (this.pending.size > 0 || this.closing) this.worker.ref()
    else this.worker.unref()
  }
}

/** For `catch`, of a call that gives something back: when the device is gone, so is that; the next call that needs it says why. */
export function gone(): void {}

/** What a function in the worker returns to move buffers instead of copying them. */
export class Transfer<T> {
  readonly value: T
  readonly buffers: readonly Transferable[]

  constructor(value: T, buffers: readonly Transferable[]) {
    this.value = value
    this.buffers = buffers
  }
}

/** Answers the calls of the `Channel` that started this thread, one after the other. */
export function serve<F extends Functions<F>>(
  functions: {
    readonly [K in keyof F]: (...args: Parameters<F[K]>) => Answer<Awaited<ReturnType<F[K]>>>
  },
): void {
  const port = parentPort as MessagePort
  const gate = new Gate((workerData as ChannelData).gate)
  let last: Promise<void> = Promise.resolve()
  port.on('message', (request: Request | typeof goodbye) => {
    last = last.then(async () => {
      if (request === goodbye) return port.close()
      if (!gate.enter()) return
      const { id, name, args } = request
      try {
        const answer: unknown = await functions[name as keyof F](...(args as never))
        if (answer instanceof Transfer) port.postMessage({ id, value: answer.value }, answer.buffers)
        else port.postMessage({ id, value: answer })
      } catch (error) {
        port.postMessage({ id, error: sendable(error) })
      } finally {
        gate.leave()
      }
    })
  })
  port.on('messageerror', (error) => {
    throw error // a call that cannot be read cannot be answered: end the thread, which rejects it
  })
}

type Answer<T> = T | Transfer<T> | Promise<T | Transfer<T>>

/** `node --input-type=module -e …` is handed down to threads by Node 20, which then refuse to start from a file. */
function inheritedArguments(): { execArgv?: string[] } {
  return process.execArgv.some((argument) => argument.startsWith('--input-type')) ? { execArgv: [] } : {}
}
