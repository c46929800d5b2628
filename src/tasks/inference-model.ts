import type { TaskOptions } from './blip2.ts'
import type { ImageInput } from './image.ts'
import { type LoadOptions, loadBlip2 } from './node-load.ts'

/**
 * Loads a model, captions one image and gives everything back, as in the published README of mmpretrain
 * (`inference_model`). For more than one image, `loadBlip2` once.
 */
export async function inferenceModel(
  name: string,
  image: ImageInput,
  options: { readonly load?: LoadOptions; readonly task?: TaskOptions } = {},
): Promise<{ pred_caption: string }> {
  const model = await loadBlip2(name, options.load)
  try {
    const { pred_caption } = await model.caption(image, options.task)
    return { pred_caption }
  } finally {
    await model.dispose()
  }
}
