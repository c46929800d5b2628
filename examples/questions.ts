/** Asks several questions about one image, which is encoded once: `node build/examples/questions.js [MODEL IMAGE QUESTION...]` */
import { loadBlip2 } from '../src/index.ts' // in a project of your own: from 'blip2'

// For photos: 'Salesforce/blip2-flan-t5-xl'.
const [source = 'scenes', image = 'examples/demo/scenes/1.png', ...questions] = process.argv.slice(2)
if (questions.length === 0) questions.push('what is the blue thing?', 'how many triangles are there?')
const model = await loadBlip2(source)
const encoded = await model.encode(image)
for (const question of questions) {
  const { pred_answer, timing_ms } = await model.answer(encoded, question)
  console.log(`${question} ${pred_answer} (${timing_ms.total} ms)`)
}
await model.dispose()
