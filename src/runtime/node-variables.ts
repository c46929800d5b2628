import { SessionError } from '../errors.ts'
import type { AdamWOptions, AdamWResult } from '../optim/adamw.ts'
import { maxElements, type Part, parts } from '../optim/variable.ts'
import type { VariableOptions, VariableSet, Variables } from './device.ts'
import { describe } from './feeds.ts'
import { type Channel, gone } from './node-channel.ts'
import type { WorkerFunctions } from './node-worker.ts'

/** The caller's end of variables. */
export class CpuVariables implements Variables {
  readonly channel: Channel<WorkerFunctions>
  readonly id: number
  readonly shapes: Readonly<Record<string, readonly number[]>>
  step: number
  private disposed: Promise<void> | undefined

  constructor(channel: Channel<WorkerFunctions>, id: number, variables: VariableSet, step: number) {
    this.channel = channel
    this.id = id
    this.shapes = Object.fromEntries(Object.entries(variables).map(([name, { shape }]) => [name, shape]))
    this.step = step
  }

  static async create(
    channel: Channel<WorkerFunctions>,
    id: number,
    set: VariableSet,
    step: number,
  ): Promise<Variables> {
    for (const [name, options] of Object.entries(set)) checkOptions(name, options)
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new SessionError(`variables: step: expected a whole number of updates, found ${step}`)
    }
    await channel.call('variables', 'createVariables', [id, set, step])
    return new CpuVariables(channel, id, set, step)
  }

  async read(name: string, part: Part = 'value'): Promise<Float32Array> {
    const { where } = this.find(name, part)
    return this.channel.call(where, 'readVariable', [this.id, name, part])
  }

  async write(name: string, data: Float32Array, part: Part = 'value'): Promise<void> {
    const { where, shape } = this.find(name, part)
    if (!(data instanceof Float32Array) || data.length !== elements(shape)) {
      const expected = `${elements(shape)} elements for ${describe({ dtype: 'float32', shape })}`
      throw new SessionError(`${where}: expected ${expected}, found ${data.length} of ${data[Symbol.toStringTag]}`)
    }
    const copy = data.slice()
    await this.channel.call(where, 'writeVariable', [this.id, name, copy, part], [copy.buffer])
  }

  async update(options: AdamWOptions): Promise<AdamWResult> {
    const where = 'variables: update'
    this.check(where)
    const { step, ...result } = await this.channel.call(where, 'update', [this.id, options])
    this.step = step
    return result
  }

  dispose(): Promise<void> {
    this.disposed ??= this.channel.call('variables', 'disposeVariables', [this.id]).catch(gone)
    return this.disposed
  }

  check(where: string): void {
    if (this.disposed) throw new SessionError(`${where}: the variables were disposed`)
  }

  private find(name: string, part: Part): { readonly where: string; readonly shape: readonly number[] } {
    const where = `variable ${name}: ${part}`
    this.check(where)
    const shape = this.shapes[name]
    if (!shape)
      throw new SessionError(`${where}: there is no such variable; there are ${some(Object.keys(this.shapes))}`)
    if (!parts.includes(part)) throw new SessionError(`${where}: expected one of ${parts.join(', ')}`)
    return { where, shape }
  }
}

function checkOptions(name: string, { shape, weightDecay = 0, rateFactor = 1 }: VariableOptions): void {
  if (!shape.every((size) => Number.isSafeInteger(size) && size > 0) || elements(shape) > maxElements) {
    const limit = maxElements.toLocaleString('en')
    throw new SessionError(
      `variable ${name}: expected positive sizes of at most ${limit} elements, found (${shape.join(', ')})`,
    )
  }
  for (const [option, value] of Object.entries({ weightDecay, rateFactor })) {
    if (value >= 0 && Number.isFinite(value)) continue
    throw new SessionError(`variable ${name}: ${option}: expected a number of at least 0, found ${value}`)
  }
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function some(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ') || 'none'
}
