/** What Linux says about the memory of this process. */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Why tests that read it are skipped elsewhere. */
export const needsProc = process.platform === 'linux' ? false : 'reads /proc, which only Linux has'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of anonymous memory: everything but files that are mapped. */
export function anonymousBytes(): number {
  collectGarbage()
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

/** Bytes of the mappings of a file: their extent, what is in memory, and what has become a copy of our own. */
export function mappedBytes(file: string): { size: number; resident: number; anonymous: number } {
  const mappings = readFileSync('/proc/self/smaps', 'utf8')
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((mapping) => mapping.slice(0, mapping.indexOf('\n')).endsWith(` ${file}`))
  const sum = (field: string) =>
    mappings.reduce(
      (total, mapping) => total + 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(mapping)?.[1]),
      0,
    )
  return { size: sum('Size'), resident: sum('Rss'), anonymous: sum('Anonymous') }
}
