/** Where the time of a call went, in milliseconds: reading the file, resizing, the encoder, the language model, all of it. */
export interface TimingMs {
  readonly decode?: number
  readonly resize?: number
  readonly encode?: number
  readonly generate?: number
  readonly total: number
}

export interface Timing {
  measure<T>(part: Exclude<keyof TimingMs, 'total'>, work: () => Promise<T>): Promise<T>
  total(): TimingMs
}

export function timing(): Timing {
  const start = performance.now()
  const parts: Record<string, number> = {}
  return {
    async measure(part, work) {
      const begin = performance.now()
      const result = await work()
      parts[part] = rounded((parts[part] ?? 0) + performance.now() - begin)
      return result
    },
    total: () => ({ ...parts, total: rounded(performance.now() - start) }),
  }
}

/** Of two pieces of work, one after the other. */
export function addTimes({ total: firstTotal, ...first }: TimingMs, { total, ...second }: TimingMs): TimingMs {
  const parts: Record<string, number> = { ...first }
  for (const [part, milliseconds] of Object.entries(second)) parts[part] = rounded((parts[part] ?? 0) + milliseconds)
  return { ...parts, total: rounded(firstTotal + total) }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10
}
