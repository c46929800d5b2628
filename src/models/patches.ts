import type { Value } from '../graph/index.ts'
import { reshape, transpose } from '../ops/index.ts'
import type { VisionConfig } from './config.ts'

/**
 * Pixels (batch, 3, image_size, image_size) cut into patches, from left to right and top to bottom: (patches, batch, 3·patch_size²).
 * A convolution whose stride is its kernel size is a linear map of each.
 */
export function cutPatches(config: VisionConfig, pixelValues: Value): Value {
  const { image_size, patch_size, num_channels } = config
  const side = image_size / patch_size
  const grid = reshape(pixelValues, [-1, num_channels, side, patch_size, side, patch_size])
  return reshape(transpose(grid, [2, 4, 0, 1, 3, 5]), [side * side, -1, num_channels * patch_size * patch_size])
}
