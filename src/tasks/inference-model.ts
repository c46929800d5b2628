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
  options: LoadOptions & TaskOptions = {},
): Promise<{ pred_caption: string }> {
  const { device, threads, revision, token, offline, endpoint, batch, cacheDir, onProgress, onNotice, ...task } =
    options
  const model = await loadBlip2(name, options)
  try {
    const { pred_caption } = await model.caption(image, task)
    return { pred_caption }
  } finally {
    await model.dispose()
  }
}
