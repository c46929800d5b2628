/** Captions the images that are named: `node build/examples/caption.js MODEL IMAGE...` */
import { loadBlip2 } from '../src/index.ts' // in a project of your own: from 'blip2'

const [source, ...images] = process.argv.slice(2)
const model = await loadBlip2(source ?? 'Salesforce/blip2-opt-2.7b')
for (const image of images) {
  const { pred_caption } = await model.caption(image)
  console.log(`${image}: ${pred_caption}`)
}
await model.dispose()
