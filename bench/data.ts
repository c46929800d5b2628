/**
 * What training data costs: a photo of 640x480 decoded and resized to 224, batches by the number of threads that resize, a shard gone
 * through, features kept and read again. Makes its data, 1.3 GB, in the folder for temporary files.
 *
 *   node build/bench/data.js [PHOTO.jpg]     without a photo: noise of the size of one
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packTar } from 'modern-tar'
import sharp from 'sharp'
import { listSource } from '../src/data/list.ts'
import { openLoader } from '../src/data/node-loader.ts'
import { shardSource } from '../src/data/node-shards.ts'
import { decodeImage } from '../src/images/node.ts'
import { pixelValues } from '../src/images/preprocess.ts'
import { openFeatureCache } from '../src/training/node-feature-cache.ts'

const folder = mkdtempSync(join(tmpdir(), 'blip2-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true }))

/** Wall-clock and processor milliseconds of one of `count`. */
async function cost(count: number, work: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const [begun, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { ms: (performance.now() - begun) / count, cpuMs: (user + system) / 1000 / count }
}

function say(figure: string, values: Readonly<Record<string, number>>): void {
  const rounded = Object.entries(values).map(([name, value]) => [name, Number(value.toPrecision(3))])
  console.log(JSON.stringify({ figure, ...Object.fromEntries(rounded) }))
}

async function times(count: number, work: () => unknown): Promise<void> {
  for (let i = 0; i < count; i++) await work()
}

const photo = join(folder, 'photo.jpg')
const given = process.argv[2]
const source =
  given === undefined
    ? sharp(
        Uint8Array.from({ length: 60 * 80 * 3 }, () => 256 * Math.random()),
        {
          raw: { width: 80, height: 60, channels: 3 },
        },
      )
    : sharp(given)
await source.resize(640, 480, { fit: 'fill' }).jpeg({ quality: 92 }).toFile(photo)
const decoded = await decodeImage(photo)
await times(10, () => pixelValues([decoded], 224))
say('decode a photo', await cost(100, () => times(100, () => decodeImage(photo))))
say('resize it to 224', await cost(100, () => times(100, () => pixelValues([decoded], 224))))

const samples = Array.from({ length: 1000 }, (_, i) => ({ key: `${i}`, texts: ['a caption'], image: photo }))
for (const threads of [1, 2]) {
  const parts = [{ source: listSource('photos', samples), weight: 1 }]
  const view = { scale: [0.5, 1], mirror: true } as const
  const loader = openLoader({ parts, seed: 1, from: 0, batchSize: 32, imageSize: 224, view, threads })
  await loader.next()
  const figures = await cost(512, () => times(16, () => loader.next()))
  say(`batches of photos, ${threads} threads resize`, { ...figures, photosPerSecond: 1000 / figures.ms })
  await loader.close()
}

const bytes = readFileSync(photo)
const shard = join(folder, 'shard.tar')
const files = Array.from({ length: 3000 }, (_, i) => [
  { header: { name: `${i}.jpg`, size: bytes.length }, body: bytes },
  { header: { name: `${i}.txt`, size: 9 }, body: 'a caption' },
])
const tar = await packTar(files.flat())
writeFileSync(shard, tar)
const shards = [{ path: shard, name: 'shard' }]
await shardSource('shards', shards).size()
const counting = await cost(tar.length / 1e6, () => shardSource('shards', shards).size())
say('go through a shard', { ...counting, mbPerSecond: 1000 / counting.ms })

for (const [patches, hiddenSize, count] of [
  [257, 1408, 640],
  [65, 192, 19_200],
] as const) {
  const cache = await openFeatureCache(join(folder, `${patches}`), {}, { patches, hiddenSize })
  const keys = Array.from({ length: count }, (_, i) => `${(i * 7919) % count}`)
  const features = Float32Array.from({ length: 32 * patches * hiddenSize }, (_, i) => Math.sin(i))
  const batches = Array.from({ length: count / 32 }, (_, i) => keys.slice(32 * i, 32 * i + 32))
  const megabytes = (2 * count * patches * hiddenSize) / 1e6
  const writing = await cost(megabytes, async () => {
    for (const batch of batches) await cache.write(batch, features)
  })
  const reading = await cost(megabytes, async () => {
    for (let i = 0; i < batches.length; i++)
      await cache.read(Array.from({ length: 32 }, (_, j) => `${(i * 32 + j * 631) % count}`))
  })
  say(`features of ${patches} patches of ${hiddenSize} as float16`, {
    writtenMbPerSecond: 1000 / writing.ms,
    readMbPerSecond: 1000 / reading.ms,
  })
  await cache.close()
}
