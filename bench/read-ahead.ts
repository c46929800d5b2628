/**
 * What reading the weights ahead is worth: from a cold start the language model reads its first prompt and takes steps of
 * five beams, once with page faults alone and once behind `readAhead`.
 *
 *   node build/bench/read-ahead.js FOLDER
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createDecoder } from '../src/tasks/decoder.ts'
import { best, milliseconds, openModel, say } from './open.ts'

const [folder = '.cache/bench-checkpoint', mode] = process.argv.slice(2)

if (mode === undefined) {
  for (const one of ['faults', 'ahead']) {
    const run = spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder, one], { stdio: 'inherit' })
    if (run.status !== 0) process.exit(1)
  }
} else {
  const { device, sessions, queryEmbeds, reading } = await openModel(folder, { readAhead: mode === 'ahead' })
  const items = [{ queryEmbeds, prompt: [2, 100, 101, 102] }]
  const decoder = createDecoder(sessions, items, {
    cache: device.createCache(sessions.cacheShapes(1)),
    queriesCached: false,
  })
  const firstPrompt = await milliseconds(async () => {
    await reading.done
    await decoder.prefill()
  })
  const tokens = new Int32Array(5).fill(7)
  await decoder.step(tokens, new Int32Array(5))
  const step = await best(4, () =>
    decoder.step(
      tokens,
      tokens.map((_, i) => i),
    ),
  )
  say(`cold start, ${mode === 'ahead' ? 'read ahead' : 'page faults alone'}`, {
    firstPromptMs: firstPrompt,
    stepOf5Ms: step,
  })
  await device.dispose()
}
