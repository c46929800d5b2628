/**
 * Times and memory of a first-stage model on this machine, one JSON object per figure (milliseconds; GB = 10⁹ bytes).
 *
 *   node build/bench/make-checkpoint.js blip2_3rdparty_retrieval .cache/bench-retrieval
 *   node build/bench/match.js .cache/bench-retrieval
 */
import { loadBlip2 } from '../src/tasks/node-load.ts'
import { best, image, memory, milliseconds, say } from './open.ts'

const [folder = '.cache/bench-retrieval'] = process.argv.slice(2)

/** Texts of 12 tokens, as captions are long, [CLS] and [SEP] among them; no two are the same. */
const texts = Array.from({ length: 32 }, (_, i) =>
  Array.from({ length: 10 }, (_, word) => `w${100 + 32 * word + i}`).join(' '),
)

const start = performance.now()
const model = await loadBlip2(folder)
say('load', { ms: performance.now() - start })
say('first image, 32 texts', { ms: await milliseconds(() => model.match(image, texts)) })
say('encode an image', { ms: await best(2, () => model.encode(image)) })
for (const count of [1, 32]) {
  const some = texts.slice(0, count)
  say('encode texts', { texts: count, ms: await best(3, () => model.retrieval.encodeTexts(some)) })
}
const [encoded] = await model.retrieval.encodeImages([image])
const tokens = (await model.retrieval.encodeTexts(texts)).map((text) => text.tokens)
for (const count of [1, 32]) {
  const match = () => model.retrieval.matchLogits(encoded!.imageEmbeds, tokens.slice(0, count))
  say('match one image', { texts: count, ms: await best(2, match) })
}
say('caption, beam 5, 13 new tokens', {
  ms: await best(1, () => model.caption(image, { maxNewTokens: 13, minNewTokens: 13 })),
})
say('memory', memory())
await model.dispose()
