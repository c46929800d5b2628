/** Running a checkpoint at another image size than it was trained for, as the fine-tuned and the mmpretrain models do (364 px). */
import { readTensor } from '../checkpoints/node.ts'
import type { Checkpoint } from '../checkpoints/safetensors.ts'
import { ConfigError } from '../errors.ts'
import type { Blip2Config } from '../models/config.ts'
import { interpolatePositions } from '../models/positions.ts'

const POSITIONS = 'vision_model.embeddings.position_embedding'

export interface AtImageSize {
  readonly config: Blip2Config
  /** Weights that replace those of the file. */
  readonly replaced: ReadonlyMap<string, Float32Array>
}

/** The configuration for square images of `size` pixels and the position embeddings that go with it. */
export async function atImageSize(config: Blip2Config, checkpoint: Checkpoint, size: number): Promise<AtImageSize> {
  const { image_size, patch_size, hidden_size } = config.vision_config
  if (size === image_size) return { config, replaced: new Map() }
  if (!Number.isSafeInteger(size) || size < patch_size || size % patch_size !== 0) {
    throw new ConfigError(`image size: expected a multiple of the patch size, ${patch_size} pixels, found ${size}`)
  }
  const stored = checkpoint.tensors.get(POSITIONS)
  const trained = image_size / patch_size
  const fits = stored && stored.shape.join() === [1, 1 + trained ** 2, hidden_size].join()
  const resized = { ...config, vision_config: { ...config.vision_config, image_size: size } }
  if (!fits) return { config: resized, replaced: new Map() } // the check of all tensors says what is wrong
  const values = (await readTensor(stored)) as Float32Array
  const grids = { from: trained, to: size / patch_size, width: hidden_size, alignCorners: false }
  const positions = interpolatePositions(values, grids)
  return { config: resized, replaced: new Map([[POSITIONS, positions]]) }
}
