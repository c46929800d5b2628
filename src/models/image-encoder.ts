/** The frozen image encoder of BLIP-2, whichever it is, with the norm that the Q-Former's training learned (`ln_vision` in LAVIS). */
import type { Value } from '../graph/index.ts'
import { layerNorm, type Params } from '../nn/index.ts'
import { clipEncoder } from './clip.ts'
import type { VisionConfig } from './config.ts'
import { visionEncoder } from './vision.ts'

/** Normalised pixels (batch, 3, image_size, image_size) → (1 + patches, batch, hidden_size). */
export function imageEncoder(p: Params, config: VisionConfig, pixelValues: Value): Value {
  const norm = p.at('vision_model.post_layernorm')
  switch (config.model_type) {
    case 'blip_2_vision_model':
      return layerNorm(norm, visionEncoder(p.at('vision_model'), config, pixelValues), config.post_layernorm_eps)
    case 'clip_vision_model':
      return layerNorm(norm, clipEncoder(p.at('visual_encoder'), config, pixelValues), config.post_layernorm_eps)
  }
}
