/**
 * What retrieval costs around the model: features to the disk and back, similarities (the engine's graph, or JavaScript), candidates. The
 * encoder makes its numbers up, in the sizes of blip2-itm-vit-g at 224 pixels. The defaults are the size of COCO's test split: 3.8 GB
 * in .cache/bench-retrieval.
 *
 *   node build/bench/retrieval.js [IMAGES TEXTS [graph|js]]
 */

import { toOnnx } from '../src/graph/index.ts'
import type { RetrievalConfig } from '../src/models/config.ts'
import { findPreset } from '../src/models/presets.ts'
import { similarityGraph } from '../src/models/retrieval.ts'
import { openDevice } from '../src/runtime/node.ts'
import { float32 } from '../src/tasks/layout.ts'
import type { RetrievalEncoder } from '../src/tasks/retrieval/encoder.ts'
import { removeWork, retrieve } from '../src/tasks/retrieval/node-retrieve.ts'
import { say } from './open.ts'

const [images = '5000', texts = '25000', form = 'graph'] = process.argv.slice(2)
const [queries, embedSize, patches, hiddenSize] = [32, 256, 257, 1408]
const folder = '.cache/bench-retrieval'

let state = 1
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) | 0
  return state / 2 ** 31
}

function unitRows(rows: number): Float32Array {
  const data = Float32Array.from({ length: rows * embedSize }, random)
  for (let start = 0; start < data.length; start += embedSize) {
    const row = data.subarray(start, start + embedSize)
    const length = Math.hypot(...row)
    row.forEach((value, i) => {
      row[i] = value / length
    })
  }
  return data
}

const imageEmbeds = Float32Array.from({ length: patches * hiddenSize }, random)
const encoder: RetrievalEncoder = {
  queries,
  embedSize,
  patches,
  hiddenSize,
  encodeImages: async (some) => some.map(() => ({ projected: unitRows(queries), imageEmbeds })),
  encodeTexts: async (some) => some.map((text) => ({ projected: unitRows(1), tokens: Array.from(text, Number) })),
  matchLogits: async (_, some) => ({
    match: Float32Array.from(some, random),
    noMatch: Float32Array.from(some, random),
  }),
}

const device = await openDevice()
const config = findPreset('blip2_3rdparty_retrieval')!.config as RetrievalConfig
const session = await device.createSession(toOnnx(similarityGraph(config), { purpose: 'inference' }).bytes)
const withGraph: RetrievalEncoder = {
  ...encoder,
  async similarities(projectedImages, imageCount, projectedTexts, textCount) {
    const image_feats = float32(projectedImages, [imageCount, queries, embedSize])
    const { itc } = await session.run({ image_feats, text_feat: float32(projectedTexts, [textCount, embedSize]) })
    return itc!.data as Float32Array
  },
}

let peak = 0
let begin = performance.now()
const { pairs } = await retrieve(
  form === 'js' ? encoder : withGraph,
  {
    images: Array.from({ length: Number(images) }, (_, i) => ({
      width: 1,
      height: 1,
      data: Uint8Array.of(i, i >> 8, 0),
    })),
    texts: Array.from({ length: Number(texts) }, (_, i) => String(i)),
  },
  {
    work: { folder, model: 'made up', fresh: true },
    onProgress({ step, done, total }) {
      peak = Math.max(peak, process.memoryUsage.rss())
      if (done < total) return
      say(`retrieval, ${step}`, { of: total, ms: performance.now() - begin })
      begin = performance.now()
    },
  },
)
say('retrieval, all', { pairs, peakMegabytes: Math.round(peak / 1e6) })
await removeWork(folder)
await device.dispose()
