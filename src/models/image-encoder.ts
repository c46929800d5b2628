/** The frozen image encoder of BLIP-2, whichever it is, with the norm that the Q-Former's training learned (`ln_vision` in LAVIS). */
import type { Value } from '../graph/index.ts'
import { layerNorm, type Params } from '../nn/index.ts'
import { clipEncoder } from './clip.ts'
import type { VisionConfig } from './config.ts'
import { visionEncoder } from './vision.ts'

/** Normalised pixels (batch, 3, image_size, image_size) → image_embeds (1 + patches, batch, hidden_size). */
export function imageEncoder(p: Params, config: VisionConfig, pixelValues: Value): Value {
  return imageNorm(p, config, imageHidden(p, config, pixelValues))
}

/** The frozen part: → image_hidden (1 + patches, batch, hidden_size), without the norm. */
export function imageHidden(p: Params, config: VisionConfig, pixelValues: Value): Value {
  switch (config.model_type) {
    case 'blip_2_vision_model':
      return visionEncoder(p.at('vision_model'), config, pixelValues)
    case 'clip_vision_model':
      return clipEncoder(p.at('visual_encoder'), config, pixelValues)
  }
}

/** The norm, which trains with the Q-Former: image_hidden → image_embeds. */
export function imageNorm(p: Params, config: VisionConfig, hidden: Value): Value {
  return layerNorm(normParams(p), hidden, config.post_layernorm_eps)
}

/** Its weights (`ln_vision` in LAVIS). */
export function normParams(p: Params): Params {
  return p.at('vision_model.post_layernorm')
}
