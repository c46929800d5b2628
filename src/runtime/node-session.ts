import { SessionError } from '../errors.ts'
import type { Cache, Port, RunOptions, Session, Tensor, Variables } from './device.ts'
import { attempt } from './failures.ts'
import { checkFeeds, copyTensor, describe, fits, nameList } from './feeds.ts'
import { CpuCache } from './node-cache.ts'
import { type Channel, gone } from './node-channel.ts'
import { CpuVariables } from './node-variables.ts'
import type { CacheUse, VariableUse, WorkerFunctions } from './node-worker.ts'

/** The caller's end of a session: checks what a run is given, so that the worker need not. */
export class CpuSession implements Session {
  private readonly channel: Channel<WorkerFunctions>
  private readonly id: number
  private readonly where: string
  private readonly inputs: readonly Port[]
  private readonly outputs: readonly Port[]
  private disposed: Promise<void> | undefined

  constructor(
    channel: Channel<WorkerFunctions>,
    id: number,
    where: string,
    ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
  ) {
    this.channel = channel
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
    const cache = options.cache && this.ownCache(options.cache)
    const variables = options.variables && this.ownVariables(options.variables)
    const inputs = divide(this.inputs, {
      cached: ({ name }) => cache !== undefined && name.startsWith('past.'),
      resident: ({ name }) => variables !== undefined && Object.hasOwn(variables.shapes, name),
    })
    const outputs = divide(this.outputs, {
      cached: ({ name }) => cache !== undefined && name.startsWith('present.'),
      resident: ({ name }) => variables !== undefined && name.startsWith('gradient.'),
    })
    const cacheUse = cache && {
      id: cache.id,
      past: this.entries(cache, inputs.cached),
      present: this.entries(cache, outputs.cached),
    }
    const variableUse = variables && {
      id: variables.id,
      read: this.variables(variables, inputs.resident, ''),
      gradients: this.variables(variables, outputs.resident, 'gradient.'),
    }
    const fetched = this.fetched(options.outputs, outputs.open, [cacheUse?.present, variableUse?.gradients])
    checkFeeds(where, inputs.open, feeds)
    const copies = attempt(where, () =>
      Object.entries(feeds).map(([name, tensor]) => [name, copyTensor(tensor)] as const),
    )
    const residents = { ...(cacheUse && { cache: cacheUse }), ...(variableUse && { variables: variableUse }) }
    const { outputs: results, rows } = await this.channel.call(
      where,
      'run',
      [this.id, Object.fromEntries(copies), fetched, residents],
      copies.map(([, copy]) => copy.data.buffer),
    )
    if (cache && rows) cache.rows = rows
    return results
  }

  dispose(): Promise<void> {
    this.disposed ??= this.channel.call(this.where, 'disposeSession', [this.id]).catch(gone)
    return this.disposed
  }

  private ownCache(cache: Cache): CpuCache {
    if (!(cache instanceof CpuCache) || cache.channel !== this.channel) {
      throw new SessionError(`${this.where}: the cache belongs to another device`)
    }
    cache.check(this.where)
    return cache
  }

  private ownVariables(variables: Variables): CpuVariables {
    if (!(variables instanceof CpuVariables) || variables.channel !== this.channel) {
      throw new SessionError(`${this.where}: the variables belong to another device`)
    }
    variables.check(this.where)
    return variables
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

  /** Variables behind ports named `prefix` and their name, whose shapes must be theirs. */
  private variables({ shapes }: CpuVariables, ports: readonly Port[], prefix: string): VariableUse['read'] {
    return ports.map((port) => {
      const name = port.name.slice(prefix.length)
      const shape = shapes[name]
      if (!shape || port.dtype !== 'float32' || !fits(shape, port.shape)) {
        const found = shape ? describe({ dtype: 'float32', shape }) : 'no such variable'
        throw new SessionError(`${this.where}: ${port.name}: expected ${describe(port)}, found ${found}`)
      }
      return name
    })
  }

  private fetched(
    asked: RunOptions['outputs'],
    ports: readonly Port[],
    kept: readonly (readonly string[] | undefined)[],
  ): readonly string[] {
    const names = new Set(ports.map((port) => port.name))
    const unknown = asked?.find((name) => !names.has(name))
    if (unknown !== undefined) {
      throw new SessionError(`${this.where}: there is no output ${unknown} to return; expected ${nameList(ports)}`)
    }
    const fetched = asked ?? [...names]
    if (fetched.length === 0 && !kept.some((outputs) => outputs?.length)) {
      throw new SessionError(`${this.where}: no output is asked for`)
    }
    return fetched
  }
}

/** The ports that a cache serves, those that variables serve, and those that are left to the caller. */
function divide(
  ports: readonly Port[],
  { cached, resident }: Record<'cached' | 'resident', (port: Port) => boolean>,
): Record<'cached' | 'resident' | 'open', readonly Port[]> {
  return {
    cached: ports.filter(cached),
    resident: ports.filter(resident),
    open: ports.filter((port) => !cached(port) && !resident(port)),
  }
}
