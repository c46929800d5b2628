import { readFileSync } from 'node:fs'
import { freemem, platform, totalmem } from 'node:os'
import { join } from 'node:path'
import type { MachineMemory } from './memory.ts'

/**
 * Memory of this machine, or of the container where that has less.
 * Linux: /proc/meminfo and the limits of every control group around this process, version 1 and 2 (`root` is for tests).
 * macOS says too little about what could be freed: at least half of the total is taken as available.
 */
export function machineMemory(root = '/'): MachineMemory {
  const total = totalmem()
  if (platform() === 'darwin') return { totalBytes: total, availableBytes: Math.max(freemem(), total / 2) }
  const meminfo = read(root, 'proc/meminfo')
  const machine = {
    totalBytes: kilobytes(meminfo, 'MemTotal') ?? total,
    availableBytes: kilobytes(meminfo, 'MemAvailable') ?? freemem(),
  }
  return containers(root).reduce(
    (least, { totalBytes, availableBytes }) => ({
      totalBytes: Math.min(least.totalBytes, totalBytes),
      availableBytes: Math.min(least.availableBytes, availableBytes),
    }),
    machine,
  )
}

/** Files of the two versions of control groups; `inactive` and `active` name the reclaimable file cache in memory.stat. */
const versions = [
  { line: /^0::(.*)$/m, mount: 'sys/fs/cgroup', limit: 'memory.max', usage: 'memory.current', prefix: '' },
  {
    line: /^\d+:(?:\w+,)*memory(?:,\w+)*:(.*)$/m,
    mount: 'sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    prefix: 'total_',
  },
] as const

/** Every control group with a limit, from that of this process to the outermost that can be seen. */
function containers(root: string): MachineMemory[] {
  const groups = read(root, 'proc/self/cgroup') ?? ''
  return versions.flatMap(({ line, mount, limit, usage, prefix }) =>
    ancestors(line.exec(groups)?.[1]).flatMap((path) => {
      const folder = join(mount, path)
      const totalBytes = Number(read(root, join(folder, limit)) ?? Number.NaN) // "max" is no number: no limit
      const used = Number(read(root, join(folder, usage)) ?? Number.NaN)
      if (!Number.isFinite(totalBytes) || !Number.isFinite(used)) return []
      const stat = read(root, join(folder, 'memory.stat')) ?? ''
      const files = ['inactive_file', 'active_file'].map(
        (name) => new RegExp(`^${prefix}${name} (\\d+)$`, 'm').exec(stat)?.[1],
      )
      const cached = files.reduce((sum, bytes) => sum + Number(bytes ?? 0), 0)
      return [{ totalBytes, availableBytes: Math.max(0, totalBytes - Math.max(0, used - cached)) }]
    }),
  )
}

/** "/a/b" → "/a/b", "/a", "/"; inside a container only the last may exist. */
function ancestors(path: string | undefined): string[] {
  if (path === undefined) return []
  const parts = path.split('/').filter((part) => part !== '')
  return Array.from(
    { length: parts.length + 1 },
    (_, dropped) => `/${parts.slice(0, parts.length - dropped).join('/')}`,
  )
}

function kilobytes(meminfo: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo ?? '')?.[1]
  return found === undefined ? undefined : Number(found) * 1024
}

function read(root: string, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8').trim()
  } catch {
    return undefined
  }
}
