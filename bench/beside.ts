/** Figures of two sides, taken in turn so that both see the same machine. */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One JSON line that a benchmark prints. */
export interface Figure {
  readonly figure: string
  readonly batch?: number
  readonly ms: number
  /** Processor time of all threads. */
  readonly cpu_ms?: number
  readonly peak_mb?: number
}

/** By `figure|batch`. */
export type Figures = Map<string, Figure>

/** One of our benchmarks as a command. */
export function ours(file: string, ...args: readonly string[]): string[] {
  return [process.execPath, join(dirname(fileURLToPath(import.meta.url)), `${file}.js`), ...args]
}

/** Runs a command in a process of its own; of each figure, the least time and the highest peak stay. */
export function collect(into: Figures, [command, ...args]: readonly string[]): void {
  const run = spawnSync(command as string, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  })
  if (run.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${run.status ?? run.signal}`)
  process.stderr.write(run.stdout)
  for (const line of run.stdout.split('\n').filter((text) => text.startsWith('{'))) {
    const found = JSON.parse(line) as Figure
    if (found.ms === undefined) continue
    const key = `${found.figure}|${found.batch ?? ''}`
    const known = into.get(key)
    into.set(key, known ? both(known, found) : found)
  }
}

function both(a: Figure, b: Figure): Figure {
  const join = (choose: (...values: number[]) => number, x: number | undefined, y: number | undefined) =>
    x === undefined || y === undefined ? undefined : choose(x, y)
  const [cpu_ms, peak_mb] = [join(Math.min, a.cpu_ms, b.cpu_ms), join(Math.max, a.peak_mb, b.peak_mb)]
  return {
    ...a,
    ms: Math.min(a.ms, b.ms),
    ...(cpu_ms !== undefined && { cpu_ms }),
    ...(peak_mb !== undefined && { peak_mb }),
  }
}
