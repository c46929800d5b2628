/** Expected values are those of `readTensor`, whose widening is held to the definition of the formats in widen.test.ts. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openCheckpoint, readTensor, writeSafetensors } from '../../src/checkpoints/node.ts'
import { defaultCacheDir, type Float32Options, float32Checkpoint } from '../../src/checkpoints/node-float32.ts'
import { CheckpointError } from '../../src/errors.ts'
import { referenceDir } from '../support/paths.ts'
import { put, safetensorsBytes, temporaryFolder } from './files.ts'

const widen = async (source: string, cacheDir: string, options: Omit<Float32Options, 'cacheDir'> = {}) =>
  float32Checkpoint(await openCheckpoint(source), { cacheDir, ...options })

/** The files that are kept, and nothing else: no drafts. */
const kept = (cacheDir: string) => readdirSync(join(cacheDir, 'float32')).sort()

async function bitsOf(source: string): Promise<Map<string, Buffer>> {
  const { tensors } = await openCheckpoint(source)
  return allBits(tensors.values())
}

async function allBits(tensors: Iterable<Parameters<typeof readTensor>[0]>): Promise<Map<string, Buffer>> {
  const bits = new Map<string, Buffer>()
  for (const tensor of tensors) bits.set(tensor.name, Buffer.from((await readTensor(tensor)).buffer as ArrayBuffer))
  return bits
}

/** A source of 2·`elements` bytes in one tensor, more than one piece (2 MiB) by default, and a cache folder that is not there yet. */
async function halves(t: TestContext, elements = 3_000_001) {
  const folder = temporaryFolder(t)
  const source = join(folder, 'model.safetensors')
  const data = randomBytes(2 * elements)
  await writeSafetensors(source, [{ name: 'a', dtype: 'F16', shape: [elements], data }])
  return { folder, source, cacheDir: join(folder, 'cache', 'blip2') }
}

for (const model of ['hf-blip2-opt', 'hf-blip2-t5'])
  for (const file of ['model.fp16.safetensors', 'model.bf16.safetensors']) {
    test(`${model}/${file}: every tensor becomes F32 of the same bits as readTensor gives`, async (t) => {
      const source = join(referenceDir, model, file)
      const before = await openCheckpoint(source)
      const cacheDir = temporaryFolder(t)
      const after = await float32Checkpoint(before, { cacheDir })
      assert.deepEqual([...after.tensors.keys()], [...before.tensors.keys()])
      for (const { name, dtype, shape, file, offset } of after.tensors.values()) {
        assert.equal(dtype, 'F32')
        assert.deepEqual(shape, before.tensors.get(name)?.shape)
        assert.equal(file, after.files[0]?.path)
        assert.equal(offset % 4, 0)
      }
      assert.deepEqual(after.metadata, before.metadata)
      assert.deepEqual(
        after.files,
        kept(cacheDir).map((name) => {
          const path = realpathSync(join(cacheDir, 'float32', name))
          return { path, size: statSync(path).size }
        }),
      )
      assert.deepEqual(await allBits(after.tensors.values()), await allBits(before.tensors.values()))
    })
  }

test('float32 and integers need no cache: the checkpoint itself comes back', async (t) => {
  const cacheDir = join(temporaryFolder(t), 'cache')
  const checkpoint = await openCheckpoint(join(referenceDir, 'hf-blip2-opt'))
  assert.equal(await float32Checkpoint(checkpoint, { cacheDir }), checkpoint)
  assert.ok(!existsSync(cacheDir))
})

for (const dtype of ['F16', 'BF16'] as const) {
  test(`${dtype}: all 65,536 patterns, with the payloads of NaN, infinities, subnormals and both zeros`, async (t) => {
    const folder = temporaryFolder(t)
    const source = join(folder, 'model.safetensors')
    const data = Uint16Array.from({ length: 65536 }, (_, pattern) => pattern)
    await writeSafetensors(source, [{ name: 'a', dtype, shape: [256, 256], data }])
    const { tensors } = await widen(source, folder)
    const { file, offset, length } = tensors.get('a')!
    assert.deepEqual(readFileSync(file).subarray(offset, offset + length), (await bitsOf(source)).get('a'))
  })
}

test('in a mixed file and in shards only the 16-bit floats move', async (t) => {
  const folder = temporaryFolder(t)
  const floats = { name: 'floats', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const
  const counts = { name: 'counts', dtype: 'I64', shape: [1], data: BigInt64Array.of(7n) } as const
  const half = { name: 'half', dtype: 'BF16', shape: [2, 1], data: Uint16Array.of(0x3f80, 0xc000) } as const
  const other = { name: 'other', dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) } as const
  const empty = { name: 'empty', dtype: 'F16', shape: [0, 4], data: Uint16Array.of() } as const
  await writeSafetensors(join(folder, 'mixed.safetensors'), [half, counts, floats])
  await writeSafetensors(join(folder, 'halves.safetensors'), [other, empty])
  const shardOf = { half: 'mixed', counts: 'mixed', floats: 'mixed', other: 'halves', empty: 'halves' }
  const weightMap = Object.fromEntries(Object.entries(shardOf).map(([name, file]) => [name, `${file}.safetensors`]))
  put(folder, 'model.safetensors.index.json', JSON.stringify({ weight_map: weightMap }))

  const before = await openCheckpoint(folder)
  const { tensors, files } = await float32Checkpoint(before, { cacheDir: folder })
  assert.equal(tensors.get('floats'), before.tensors.get('floats'))
  assert.equal(tensors.get('counts'), before.tensors.get('counts'))
  assert.deepEqual(await readTensor(tensors.get('half')!), Float32Array.of(1, -2))
  assert.deepEqual(await readTensor(tensors.get('other')!), Float32Array.of(1))
  assert.deepEqual(tensors.get('empty')?.shape, [0, 4])
  // The mixed shard is still needed, the other one is not.
  const mixed = realpathSync(join(folder, 'mixed.safetensors'))
  assert.equal(files.length, 3)
  assert.ok(files.some(({ path }) => path === mixed))
  assert.deepEqual(new Set(files.map(({ path }) => path)), new Set([...tensors.values()].map(({ file }) => file)))
})

test('progress counts the bytes of the source, piece by piece', async (t) => {
  const { source, cacheDir } = await halves(t)
  const seen: number[] = []
  const { tensors } = await widen(source, cacheDir, {
    onProgress: ({ loadedBytes, totalBytes }) => {
      assert.equal(totalBytes, 6_000_002)
      seen.push(loadedBytes)
    },
  })
  assert.deepEqual(seen, [0, 2 ** 21, 2 ** 22, 6_000_002])
  assert.deepEqual(await allBits(tensors.values()), await bitsOf(source))
})

test('a second load reads the source no more; a changed source gets a file of its own', async (t) => {
  const { source, cacheDir } = await halves(t)
  utimesSync(source, 1000, 1000)
  const first = await widen(source, cacheDir)
  const bits = await allBits(first.tensors.values())

  // Other values in a file of the same size and time: whoever reads it again comes out with these.
  const bytes = readFileSync(source)
  writeFileSync(source, bytes.fill(0, bytes.length - 6_000_002))
  utimesSync(source, 1000, 1000)
  const onProgress = () => assert.fail('nothing is to be widened')
  const second = await widen(source, cacheDir, { onProgress })
  assert.deepEqual(second, first)
  assert.deepEqual(await allBits(second.tensors.values()), bits)

  utimesSync(source, 2000, 2000)
  const third = await widen(source, cacheDir)
  assert.notEqual(third.files[0]?.path, first.files[0]?.path)
  assert.deepEqual(await allBits(third.tensors.values()), await bitsOf(source))
  assert.equal(kept(cacheDir).length, 2)
})

test('a damaged file in the cache is written again', async (t) => {
  const { source, cacheDir } = await halves(t)
  const { files, tensors } = await widen(source, cacheDir)
  const { path, size } = files[0]!
  for (const damaged of [0, 7, size - 1]) {
    truncateSync(path, damaged)
    await widen(source, cacheDir)
    assert.deepEqual(await allBits(tensors.values()), await bitsOf(source))
  }
  writeFileSync(path, safetensorsBytes({ b: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4))
  await widen(source, cacheDir)
  assert.deepEqual(await allBits(tensors.values()), await bitsOf(source))
})

test('an abort rejects with its reason and leaves nothing; the next call starts again', async (t) => {
  const { source, cacheDir } = await halves(t)
  const reason = new Error('enough')
  await assert.rejects(widen(source, cacheDir, { signal: AbortSignal.abort(reason) }), reason)
  assert.ok(!existsSync(cacheDir))
  for (const stopAt of [0, 2 ** 21, 6_000_002]) {
    const controller = new AbortController()
    const onProgress = ({ loadedBytes }: { loadedBytes: number }) => {
      if (loadedBytes === stopAt) controller.abort(reason)
    }
    await assert.rejects(widen(source, cacheDir, { signal: controller.signal, onProgress }), reason)
    assert.deepEqual(kept(cacheDir), [])
  }
  await widen(source, cacheDir)
  assert.equal(kept(cacheDir).length, 1)
})

test('shards that are finished survive the abort of a later one', async (t) => {
  const folder = temporaryFolder(t)
  cpSync(join(referenceDir, 'hf-blip2-opt', 'model.fp16.safetensors'), join(folder, 'one.safetensors'))
  await writeSafetensors(join(folder, 'two.safetensors'), [
    { name: 'z', dtype: 'F16', shape: [1], data: Uint8Array.of(0, 60) },
  ])
  const names = [...(await openCheckpoint(join(folder, 'one.safetensors'))).tensors.keys()]
  const weightMap = Object.fromEntries([...names.map((name) => [name, 'one.safetensors']), ['z', 'two.safetensors']])
  put(folder, 'model.safetensors.index.json', JSON.stringify({ weight_map: weightMap }))
  const controller = new AbortController()
  const onProgress = ({ loadedBytes, totalBytes }: { loadedBytes: number; totalBytes: number }) => {
    if (loadedBytes === totalBytes) controller.abort()
  }
  await assert.rejects(widen(folder, folder, { signal: controller.signal, onProgress }), { name: 'AbortError' })
  assert.equal(kept(folder).length, 1)
  const { tensors } = await widen(folder, folder)
  assert.equal(tensors.size, names.length + 1)
  assert.deepEqual(await readTensor(tensors.get('z')!), Float32Array.of(1))
})

test('a source that changes, shrinks or vanishes meanwhile is refused, and nothing of it is kept', async (t) => {
  const { source, cacheDir } = await halves(t)
  const refused = (change: () => void, message: RegExp) =>
    assert.rejects(
      widen(source, cacheDir, { onProgress: ({ loadedBytes }) => loadedBytes === 0 && change() }),
      (error) => error instanceof CheckpointError && message.test(error.message),
    )
  await refused(() => utimesSync(source, 5000, 5000), /model\.safetensors: the file changed while it was read/)
  await refused(() => truncateSync(source, 3e6), /model\.safetensors: a: the file changed while it was read/)
  assert.deepEqual(kept(cacheDir), [])
  const gone = new Map([
    ['a', { name: 'a', dtype: 'F16', shape: [1], file: `${source}.not`, offset: 8, length: 2 } as const],
  ])
  await assert.rejects(
    float32Checkpoint({ tensors: gone, files: [], metadata: {} }, { cacheDir }),
    /model\.safetensors\.not: no such file or folder/,
  )
})

const moduleUrl = new URL(`../../src/checkpoints/node-float32${extname(import.meta.url)}`, import.meta.url)
const openUrl = new URL(`../../src/checkpoints/node${extname(import.meta.url)}`, import.meta.url)

/** Another process that widens; `onProgress` is the text of a function. It prints the path of the file. */
function widenElsewhere(source: string, cacheDir: string, onProgress = '() => {}') {
  const program = `
    import { openCheckpoint } from ${JSON.stringify(openUrl)}
    import { float32Checkpoint } from ${JSON.stringify(moduleUrl)}
    const [source, cacheDir] = process.argv.slice(1)
    const { files } = await float32Checkpoint(await openCheckpoint(source), { cacheDir, onProgress: ${onProgress} })
    process.stdout.write(files[0].path)`
  return spawn(process.execPath, ['--input-type=module', '-e', program, source, cacheDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

test('a killed process leaves a draft, never a file that looks whole; the next run removes it', async (t) => {
  const { source, cacheDir } = await halves(t)
  const child = widenElsewhere(
    source,
    cacheDir,
    `({ loadedBytes }) => loadedBytes > 0 && process.kill(process.pid, 'SIGKILL')`,
  )
  const [, signal] = await once(child, 'exit')
  assert.equal(signal, 'SIGKILL')
  const left = kept(cacheDir)
  assert.equal(left.length, 1)
  assert.match(left[0]!, new RegExp(`^writing\\.\\w+\\.${child.pid}\\.`))
  assert.notEqual(readdirSync(join(cacheDir, 'float32', left[0]!)).length, 0)
  await widen(source, cacheDir)
  assert.match(kept(cacheDir).join(), /^\w+\.safetensors$/)
})

test('drafts of others stay, unless nothing was written for a day', async (t) => {
  const { source, cacheDir } = await halves(t)
  const elsewhere = ['writing.0123456789ab.1.AbCdEf', 'writing.0123456789ab.1.GhIjKl'] as const
  for (const name of elsewhere) mkdirSync(join(cacheDir, 'float32', name), { recursive: true })
  const yesterday = Date.now() / 1000 - 25 * 3600
  utimesSync(join(cacheDir, 'float32', elsewhere[1]), yesterday, yesterday)
  await widen(source, cacheDir)
  assert.deepEqual(
    kept(cacheDir).filter((name) => name.startsWith('writing')),
    [elsewhere[0]],
  )
})

test('a run inside a run, and several processes at once: all get whole files', async (t) => {
  const { source, cacheDir } = await halves(t)
  const expected = await bitsOf(source)
  let inner: ReturnType<typeof widen> | undefined
  const outer = await widen(source, cacheDir, {
    onProgress: () => {
      inner ??= widen(source, cacheDir)
    },
  })
  assert.deepEqual(await inner, outer)
  assert.deepEqual(await allBits(outer.tensors.values()), expected)

  const cold = `${cacheDir}-cold`
  const children = Array.from({ length: 3 }, () => widenElsewhere(source, cold))
  const printed = await Promise.all(
    children.map(async (child) => {
      let path = ''
      child.stdout.on('data', (text) => {
        path += text
      })
      const [code] = await once(child, 'close')
      assert.equal(code, 0)
      return path
    }),
  )
  assert.equal(new Set(printed).size, 1)
  assert.equal(kept(cold).length, 1)
  assert.deepEqual(await bitsOf(printed[0]!), expected)
})

/** What people read when the cache cannot hold the weights: bytes, place and ways out. */
const waysOut = 'set BLIP2_CACHE \\(option cacheDir\\) to another folder, or use an F32 checkpoint$'

test('more than the disk has is refused before anything is written', async (t) => {
  const folder = temporaryFolder(t)
  const elements = 2 ** 41
  const header = { a: { dtype: 'F16', shape: [elements], data_offsets: [0, 2 * elements] } }
  const source = put(folder, 'model.safetensors', safetensorsBytes(header, 0))
  try {
    truncateSync(source, statSync(source).size + 2 * elements) // a hole: it takes no space
  } catch (error) {
    return t.skip(`no sparse file of ${2 * elements} bytes: ${error}`)
  }
  const message = `^${folder}/cache/float32: the weights widened to float32 need 8\\.796 TB, [\\d.]+ [kMGT]B are free; free some space, ${waysOut}`
  await assert.rejects(widen(source, join(folder, 'cache')), (error) => {
    assert.ok(error instanceof CheckpointError)
    assert.match(error.message, new RegExp(message))
    return true
  })
  assert.deepEqual(kept(join(folder, 'cache')), [])
})

/** Runs `work` with a file system of its own in `folder`; returns the reason where there can be none. */
async function onTmpfs(folder: string, options: string, work: () => Promise<void>): Promise<string | undefined> {
  mkdirSync(folder)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    return `mounting needs root on Linux: ${error instanceof Error ? error.message : error}`
  }
  try {
    await work()
  } finally {
    execFileSync('umount', [folder])
  }
  return undefined
}

test('a disk that fills up meanwhile: the numbers, the ways out, nothing left, and a second try works', async (t) => {
  const { source, folder } = await halves(t)
  const cacheDir = join(folder, 'small')
  const unable = await onTmpfs(cacheDir, 'size=14m', async () => {
    const filler = join(cacheDir, 'filler')
    const onProgress = ({ loadedBytes }: { loadedBytes: number }) => {
      if (loadedBytes === 0) writeFileSync(filler, new Uint8Array(10 * 2 ** 20))
    }
    await assert.rejects(widen(source, cacheDir, { onProgress }), (error) => {
      assert.ok(error instanceof CheckpointError)
      const numbers = 'the weights widened to float32 need 12\\.00 MB, 4\\.19\\d MB are free'
      assert.match(error.message, new RegExp(`^${cacheDir}/float32: ${numbers}; free some space, ${waysOut}`))
      return true
    })
    assert.deepEqual(kept(cacheDir), [])
    truncateSync(filler, 0)
    assert.deepEqual(await allBits((await widen(source, cacheDir)).tensors.values()), await bitsOf(source))
  })
  if (unable !== undefined) t.skip(unable)
})

async function refusedFolder(source: string, cacheDir: string, reason: string): Promise<void> {
  await assert.rejects(widen(source, cacheDir), (error) => {
    assert.ok(error instanceof CheckpointError)
    const needed = 'the weights widened to float32 need 12\\.00 MB there'
    assert.match(error.message, new RegExp(`^${cacheDir}/float32: ${reason}.*; ${needed}: ${waysOut}`))
    return true
  })
}

test('a cache folder below a file: where, why, and the ways out', async (t) => {
  const { source } = await halves(t)
  await refusedFolder(source, join(source, 'cache'), 'a part of this path is a file')
})

test('a read-only file system: the same, and what was kept there before is still of use', async (t) => {
  const { source, folder } = await halves(t)
  const place = join(folder, 'place')
  const unable = await onTmpfs(place, 'size=14m', async () => {
    const remount = (mode: string) => execFileSync('mount', ['-o', `remount,${mode}`, place])
    const written = await widen(source, join(place, 'one'))
    remount('ro')
    await refusedFolder(source, join(place, 'another', 'cache'), 'EROFS: read-only file system')
    assert.deepEqual(await widen(source, join(place, 'one')), written)
  })
  if (unable !== undefined) t.skip(unable)
})

test('a folder without permission', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, async (t) => {
  const { source, folder } = await halves(t)
  chmodSync(folder, 0o555)
  await refusedFolder(source, join(folder, 'cache'), 'no permission').finally(() => chmodSync(folder, 0o755))
})

test('the default folder: BLIP2_CACHE, then that of the system', () => {
  const home = homedir()
  assert.equal(defaultCacheDir({ BLIP2_CACHE: 'here', XDG_CACHE_HOME: '/x' }, 'linux'), resolve('here'))
  assert.equal(defaultCacheDir({ XDG_CACHE_HOME: '/x' }, 'linux'), join('/x', 'blip2'))
  assert.equal(defaultCacheDir({ BLIP2_CACHE: '', XDG_CACHE_HOME: 'relative' }, 'linux'), join(home, '.cache', 'blip2'))
  assert.equal(defaultCacheDir({}, 'darwin'), join(home, '.cache', 'blip2'))
  assert.equal(defaultCacheDir({ LOCALAPPDATA: '/local', XDG_CACHE_HOME: '/x' }, 'win32'), join('/local', 'blip2'))
  assert.equal(defaultCacheDir({}, 'win32'), join(home, 'AppData', 'Local', 'blip2'))
})
