import { SessionError } from '../errors.ts'
import type { Cache, CacheRows, CacheShapes } from './device.ts'
import { type Channel, gone } from './node-channel.ts'
import type { WorkerFunctions } from './node-worker.ts'

/** The caller's end of a cache. */
export class CpuCache implements Cache {
  readonly channel: Channel<WorkerFunctions>
  readonly id: number
  readonly entries: CacheShapes
  rows: CacheRows
  private disposed: Promise<void> | undefined

  constructor(channel: Channel<WorkerFunctions>, id: number, entries: CacheShapes) {
    for (const [name, row] of Object.entries(entries)) {
      if (row.every((size) => Number.isSafeInteger(size) && size > 0)) continue
      throw new SessionError(`cache entry ${name}: expected the positive sizes of a row, found (${row.join(', ')})`)
    }
    this.channel = channel
    this.id = id
    this.entries = entries
    this.rows = Object.fromEntries(Object.keys(entries).map((name) => [name, 0]))
    channel.call('cache', 'createCache', [id, entries]).catch(gone)
  }

  async rewind(rows: number | CacheRows): Promise<void> {
    this.check('cache: rewind')
    this.rows = await this.channel.call('cache: rewind', 'rewind', [this.id, rows])
  }

  dispose(): Promise<void> {
    this.disposed ??= this.channel.call('cache', 'disposeCache', [this.id]).catch(gone)
    return this.disposed
  }

  check(where: string): void {
    if (this.disposed) throw new SessionError(`${where}: the cache was disposed`)
  }
}
