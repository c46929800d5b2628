/**
 * Times and memory of one checkpoint on this machine, one JSON object per figure (milliseconds; GB = 10⁹ bytes).
 *
 *   node build/bench/model.js FOLDER [FIGURE...]      figures: see below, all by default
 */
import { decodeImage } from '../src/images/node.ts'
import { pixelValues } from '../src/images/preprocess.ts'
import { createDecoder } from '../src/tasks/decoder.ts'
import type { GenerationImage } from '../src/tasks/image.ts'
import { memoryBandwidth } from './bandwidth.ts'
import { best, image, memory, openModel, say } from './open.ts'

const [folder = '.cache/bench-checkpoint', ...wanted] = process.argv.slice(2)
const { config, checkpoint, device, sessions, engine, queryEmbeds, reading } = await openModel(folder)
const size = config.vision_config.image_size

/** A prompt of four tokens: with the 32 queries a prefix of 36, as in the peer script. */
const prompt = [2, 100, 101, 102]

const figures: Record<string, () => Promise<void>> = {
  async start() {
    const pixels = pixelValues([await decodeImage(image)], size)
    await sessions.image()
    say('start until the first image enters the encoder', { ms: performance.now(), pixels: pixels.length })
  },

  async encode() {
    for (const batch of [1, 4]) {
      const pixels = new Float32Array(batch * 3 * size * size).map((_, i) => Math.sin(i))
      say('vit-g encode fp32', { batch, ms: await best(3, () => engine.encode(pixels, batch)) })
    }
  },

  /** Prefill, then steps of one branch and of five, with the weight bytes that a step reads over the bandwidth. */
  async decode() {
    const weightBytes = languageModelBytes()
    const rate = await memoryBandwidth()
    say('memory bandwidth (read)', { gbPerSecond: rate / 1e9 })
    for (const branches of [1, 5]) {
      const cache = device.createCache(sessions.cacheShapes(1))
      const decoder = createDecoder(sessions, [{ queryEmbeds, prompt }], { cache, queriesCached: false })
      const prefill = await best(3, async () => {
        await cache.rewind(0)
        await decoder.prefill()
      })
      say('opt-2.7b prefill 36 tokens fp32', { batch: branches, rows: 36, ms: prefill })
      const tokens = new Int32Array(branches).fill(7)
      const parents = tokens.map((_, i) => i)
      await decoder.step(tokens, new Int32Array(branches))
      const ms = await best(5, () => decoder.step(tokens, parents))
      const floor = (weightBytes / rate) * 1e3
      say('opt-2.7b decode one token fp32', { batch: branches, ms, bandwidthFloorMs: floor, ratio: ms / floor })
      await cache.dispose()
    }
  },

  /** One photo, beam 5, 13 new tokens; then a second question about it. */
  async caption() {
    const options = { numBeams: 5, maxNewTokens: 13, minNewTokens: 13 }
    const ms: number[] = []
    let encoded: GenerationImage | undefined
    for (let run = 0; run < 3; run++) {
      const start = performance.now()
      const pixels = pixelValues([await decodeImage(image)], size)
      encoded = (await engine.encode(pixels, 1))[0] as GenerationImage
      await engine.generate([{ image: encoded, prompt }], options)
      ms.push(performance.now() - start)
    }
    say('caption, beam 5, 13 new tokens, fp32', { first: ms[0], ms: Math.min(...ms) })
    const again = { image: encoded as GenerationImage, prompt: [...prompt, 103, 104] }
    say('second question, beam 5, 13 new tokens, fp32', { ms: await best(1, () => engine.generate([again], options)) })
    say('memory', { ...memory(), weightsGb: checkpoint.files.reduce((sum, file) => sum + file.size, 0) / 1e9 })
  },
}

if (!wanted.includes('start')) await reading.done
for (const name of wanted.length > 0 ? wanted : Object.keys(figures)) {
  const figure = figures[name]
  if (!figure) throw new Error(`no figure ${name}; there are ${Object.keys(figures).join(', ')}`)
  await figure()
}
await reading.stop()
await device.dispose()

function languageModelBytes(): number {
  let bytes = 0
  for (const { name, length } of checkpoint.tensors.values()) {
    if (name.startsWith('language_model.') && !name.includes('embed_positions')) bytes += length
  }
  return bytes
}
