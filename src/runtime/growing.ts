import { SessionError } from '../errors.ts'
import type { CacheRows, CacheShapes, Tensor } from './device.ts'

/** A float32 tensor (rows, ...rowShape) that grows in place: capacity doubles, so a row is copied about once over a long text. */
class GrowingTensor {
  readonly rowShape: readonly number[]
  rows = 0
  private readonly rowSize: number
  private data = new Float32Array(0)

  constructor(rowShape: readonly number[]) {
    this.rowShape = rowShape
    this.rowSize = rowShape.reduce((product, size) => product * size, 1)
  }

  /** A view of the rows so far, no copy. */
  tensor(): Tensor {
    return {
      dtype: 'float32',
      shape: [this.rows, ...this.rowShape],
      data: this.data.subarray(0, this.rows * this.rowSize),
    }
  }

  /** Makes room for `count` more rows. */
  reserve(count: number): void {
    const needed = (this.rows + count) * this.rowSize
    if (needed <= this.data.length) return
    const larger = new Float32Array(Math.max(needed, 2 * this.data.length))
    larger.set(this.data.subarray(0, this.rows * this.rowSize))
    this.data = larger
  }

  append({ shape, data }: Tensor): void {
    this.data.set(data as Float32Array, this.rows * this.rowSize)
    this.rows += shape[0] as number
  }
}

/** The entries of a cache, grown and rewound together. */
export class GrowingCache {
  private readonly entries: ReadonlyMap<string, GrowingTensor>

  constructor(shapes: CacheShapes) {
    this.entries = new Map(Object.entries(shapes).map(([name, shape]) => [name, new GrowingTensor(shape)]))
  }

  get rows(): CacheRows {
    return Object.fromEntries([...this.entries].map(([name, entry]) => [name, entry.rows]))
  }

  /** All rows of an entry, (rows, ...). */
  read(name: string): Tensor {
    return this.entry(name).tensor()
  }

  /** Appends to every named entry, or, when one of them does not fit, to none. */
  append(fresh: Readonly<Record<string, Tensor>>): void {
    const additions = Object.entries(fresh).map(([name, tensor]) => ({ name, tensor, entry: this.entry(name) }))
    for (const { name, tensor, entry } of additions) {
      const [count, ...row] = tensor.shape
      if (count === undefined || row.join() !== entry.rowShape.join()) {
        const expected = ['rows', ...entry.rowShape].join(', ')
        throw new SessionError(`cache entry ${name}: expected (${expected}), found (${tensor.shape.join(', ')})`)
      }
      entry.reserve(count)
    }
    for (const { tensor, entry } of additions) entry.append(tensor)
  }

  rewind(rows: number | CacheRows): void {
    const wanted = typeof rows === 'number' ? Object.fromEntries([...this.entries].map(([name]) => [name, rows])) : rows
    const entries = Object.entries(wanted).map(([name, count]) => ({ name, count, entry: this.entry(name) }))
    for (const { name, count } of entries) {
      if (!Number.isSafeInteger(count) || count < 0) {
        throw new SessionError(`cache entry ${name}: expected a whole number of rows to keep, found ${count}`)
      }
    }
    for (const { count, entry } of entries) entry.rows = Math.min(entry.rows, count)
  }

  private entry(name: string): GrowingTensor {
    const entry = this.entries.get(name)
    if (!entry) throw new SessionError(`the cache has no entry ${name}; it has ${[...this.entries.keys()].join(', ')}`)
    return entry
  }
}
