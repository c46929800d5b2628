/** Captions images, here a drawn scene by the built-in model: `node build/examples/caption.js [MODEL IMAGE...]` */
import { loadBlip2 } from '../src/index.ts' // in a project of your own: from 'blip2'

const [source = 'scenes', ...images] = process.argv.slice(2) // photos: 'Salesforce/blip2-opt-2.7b'
const model = await loadBlip2(source)
for (const image of images.length > 0 ? images : ['examples/demo/scenes/1.png']) {
  const { pred_caption } = await model.caption(image)
  console.log(`${image}: ${pred_caption}`)
}
await model.dispose()
