/** Writes a description as it comes, for at most ten seconds: `node build/examples/stream.js [MODEL IMAGE [PROMPT]]` */
import { loadBlip2 } from '../src/index.ts' // in a project of your own: from 'blip2'

// For photos: 'Salesforce/blip2-opt-2.7b'.
const [source = 'scenes', image = 'examples/demo/scenes/1.png', prompt = 'a picture of'] = process.argv.slice(2)
const model = await loadBlip2(source)
const signal = AbortSignal.timeout(10_000) // any AbortSignal: a button, a closed connection
try {
  for await (const piece of model.stream(image, { prompt, signal })) process.stdout.write(piece)
} catch (error) {
  if (!signal.aborted) throw error
} finally {
  await model.dispose()
}
