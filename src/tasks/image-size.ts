/** Running a checkpoint at another image size than it was trained for, as the fine-tuned and the mmpretrain models do (364 px). */
import { readTensor } from '../checkpoints/node.ts'
import { ConfigError } from '../errors.ts'
import type { Blip2Config, RetrievalConfig, VisionConfig } from '../models/config.ts'
import { interpolatePositions } from '../models/positions.ts'
import type { ModelSource } from './node-source.ts'

/** Name and shape of the learned positions, and how LAVIS resizes them (eva_vit.py and clip_vit.py, 506965b). */
const positionsOf = {
  blip_2_vision_model: {
    name: 'vision_model.embeddings.position_embedding',
    shape: (tokens: number, width: number) => [1, tokens, width],
    alignCorners: false,
  },
  clip_vision_model: {
    name: 'visual_encoder.positional_embedding',
    shape: (tokens: number, width: number) => [tokens, width],
    alignCorners: true,
  },
} as const satisfies Record<VisionConfig['model_type'], unknown>

export interface AtImageSize<Config> {
  readonly config: Config
  /** Weights that are in no file or replace those of the file. */
  readonly replaced: ReadonlyMap<string, Float32Array>
}

/** The configuration for square images of `size` pixels, and the weights of `source.replaced` with the positions that go with it. */
export async function atImageSize<Config extends Blip2Config | RetrievalConfig>(
  config: Config,
  { tensors, replaced }: Pick<ModelSource, 'tensors' | 'replaced'>,
  size: number,
): Promise<AtImageSize<Config>> {
  const { model_type, image_size, patch_size, hidden_size } = config.vision_config
  if (size === image_size) return { config, replaced }
  if (!Number.isSafeInteger(size) || size < patch_size || size % patch_size !== 0) {
    throw new ConfigError(`image size: expected a multiple of the patch size, ${patch_size} pixels, found ${size}`)
  }
  const { name, shape, alignCorners } = positionsOf[model_type]
  const resized = { ...config, vision_config: { ...config.vision_config, image_size: size } }
  const [from, to] = [image_size / patch_size, size / patch_size]
  const stored = tensors.get(name)
  const fits = stored?.shape.join() === shape(1 + from ** 2, hidden_size).join()
  if (!stored || !fits) return { config: resized, replaced } // the check of all tensors says what is wrong
  const values = (await readTensor(stored)) as Float32Array
  const positions = interpolatePositions(values, { from, to, width: hidden_size, alignCorners })
  return { config: resized, replaced: new Map([...replaced, [name, positions]]) }
}
