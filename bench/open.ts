/** What the benchmarks share: a checkpoint opened piece by piece, as `loadBlip2` does, and how a figure is measured and printed. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCheckpoint } from '../src/checkpoints/node.ts'
import { readAhead } from '../src/checkpoints/node-read-ahead.ts'
import { languageSize } from '../src/models/blip2.ts'
import { parseBlip2Config } from '../src/models/config.ts'
import { openDevice } from '../src/runtime/node.ts'
import { createEngine } from '../src/tasks/engine.ts'
import { float32 } from '../src/tasks/layout.ts'
import { createSessions } from '../src/tasks/sessions.ts'

export const image = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'examples', 'demo', 'scene.png')

/**
 * Opens a checkpoint from a cold start: its files are dropped from the page cache first (GNU dd), because earlier programs
 * may have left them there in small pieces, over which every pass is slower.
 */
export async function openModel(folder: string, options: { readonly readAhead: boolean } = { readAhead: true }) {
  const config = parseBlip2Config(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')), 'config.json')
  const checkpoint = await openCheckpoint(folder)
  for (const { path } of checkpoint.files) {
    spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'])
  }
  const device = await openDevice()
  const sessions = createSessions(device, config, checkpoint.tensors)
  const reading = readAhead(options.readAhead ? checkpoint.files.map((file) => file.path) : [])
  const width = languageSize(config)
  const values = new Float32Array(config.num_query_tokens * width).map((_, i) => Math.sin(i))
  const queryEmbeds = float32(values, [config.num_query_tokens, 1, width])
  return { config, checkpoint, device, sessions, engine: createEngine(sessions), reading, queryEmbeds }
}

/** Milliseconds: one warm-up, then the best of a few, which is the peer script's way. */
export async function best(runs: number, work: () => Promise<unknown>): Promise<number> {
  await work()
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) least = Math.min(least, await milliseconds(work))
  return least
}

export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** One JSON object per figure, rounded to two decimals. */
export function say(figure: string, values: Readonly<Record<string, number | undefined>>): void {
  const rounded = Object.entries(values).map(([key, value]) => [key, value && Math.round(value * 100) / 100])
  console.log(JSON.stringify({ peer: 'blip2', figure, ...Object.fromEntries(rounded) }))
}

/** Of this process, now: its own, and what is mapped of files. */
export function memory(): { anonymousGb: number; mappedGb: number } {
  const status = readFileSync('/proc/self/status', 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN)
  return { anonymousGb: (kilobytes('RssAnon') * 1024) / 1e9, mappedGb: (kilobytes('RssFile') * 1024) / 1e9 }
}
