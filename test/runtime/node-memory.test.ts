import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { freemem, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { machineMemory } from '../../src/runtime/node-memory.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-machine-'))
after(() => rmSync(folder, { recursive: true }))
const skip = process.platform === 'darwin' && 'macOS is asked through its own calls, not through files'

const meminfo = 'MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n'

/** A file system with these files, seen as if it were that of the machine. */
function machine(name: string, files: Record<string, string>) {
  for (const [path, text] of Object.entries({ 'proc/meminfo': meminfo, ...files })) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true })
    writeFileSync(join(folder, name, path), text)
  }
  return machineMemory(join(folder, name))
}

test('a bare machine: MemTotal and MemAvailable, in kB of 1024 bytes', { skip }, () => {
  assert.deepEqual(machine('bare', {}), { totalBytes: 16_384_000_000, availableBytes: 8_192_000_000 })
})

test('control groups 2: the least of all groups around; file cache counts as available', { skip }, () => {
  const limited = machine('v2', {
    'proc/self/cgroup': '0::/jobs/mine\n',
    'sys/fs/cgroup/jobs/mine/memory.max': 'max\n',
    'sys/fs/cgroup/jobs/mine/memory.current': '3000000000\n',
    'sys/fs/cgroup/jobs/memory.max': '4000000000\n',
    'sys/fs/cgroup/jobs/memory.current': '3500000000\n',
    'sys/fs/cgroup/jobs/memory.stat': 'anon 1000\nfile 2500000000\ninactive_file 1500000000\nactive_file 1000000000\n',
  })
  assert.deepEqual(limited, { totalBytes: 4_000_000_000, availableBytes: 3_000_000_000 })
})

test('control groups 1, inside a container that shows its own group as the outermost', { skip }, () => {
  const limited = machine('v1', {
    'proc/self/cgroup': '5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '2000000000\n',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '1500000000\n',
    'sys/fs/cgroup/memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 400000000\ntotal_active_file 100000000\n',
  })
  assert.deepEqual(limited, { totalBytes: 2_000_000_000, availableBytes: 1_000_000_000 })
})

test("a limit above the machine's memory (version 1 says 2⁶³ for none) changes nothing", { skip }, () => {
  const unlimited = machine('none', {
    'proc/self/cgroup': '4:memory:/\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '12000000000\n',
  })
  assert.deepEqual(unlimited, { totalBytes: 16_384_000_000, availableBytes: 8_192_000_000 })
})

test('this machine', () => {
  const { totalBytes, availableBytes } = machineMemory()
  assert.ok(totalBytes > 0 && totalBytes <= totalmem())
  assert.ok(availableBytes > 0 && availableBytes <= totalBytes, `${availableBytes} of ${totalBytes}, free ${freemem()}`)
})
