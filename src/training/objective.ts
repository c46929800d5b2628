/** What a recipe minimises: its graph, and what a batch feeds to it. */
import { input, type Value } from '../graph/index.ts'
import type { Blip2Config, RetrievalConfig } from '../models/config.ts'
import { imageHidden } from '../models/image-encoder.ts'
import { contrastiveGraph, languageModelGraph } from '../models/pretraining.ts'
import { stage1Graph } from '../models/stage1.ts'
import { stage2Graph } from '../models/stage2.ts'
import { trains } from '../models/trainable.ts'
import type { Params } from '../nn/index.ts'
import type { Recipe } from './recipe.ts'

export type ModelConfig = Blip2Config | RetrievalConfig

/** `loss`, and the parts that it is the sum of. */
export type Losses = Readonly<Record<string, Value>>

export interface Objective {
  /** What the graph reads of the images: pixels, the frozen encoder's output, or nothing. */
  readonly images: 'pixels' | 'hidden' | 'none'
  /** Whether a weight of this canonical name is trained. */
  trains(name: string): boolean
  losses(p: Params): Losses
}

export function objectiveOf(recipe: Recipe, config: ModelConfig, decTokenId: number): Objective {
  const { vision_config } = config
  const encoderTrains = recipe.model.train_image_encoder
  const trainable = (name: string) => trains(name, { imageEncoder: encoderTrains })
  const image = (p: Params): Value => {
    const { image_size, patch_size, hidden_size } = vision_config
    if (encoderTrains || recipe.objective === 'contrastive') return imageHidden(p, vision_config, pixelInput(config))
    return input('image_hidden', 'float32', [1 + (image_size / patch_size) ** 2, 'batch', hidden_size])
  }
  const images = encoderTrains ? 'pixels' : 'hidden'
  switch (recipe.objective) {
    case 'contrastive':
      return {
        images: 'pixels',
        trains: () => true,
        losses: (p) => contrastiveGraph(p, config as RetrievalConfig, image(p)),
      }
    case 'language-model': {
      const { text_config } = config as Blip2Config
      if (text_config.model_type !== 'opt') throw new Error('language-model: OPT only')
      return {
        images: 'none',
        trains: () => true,
        losses: (p) => languageModelGraph(p.at('language_model'), text_config),
      }
    }
    case 'stage1': {
      const options = { decTokenId, losses: recipe.losses }
      return {
        images,
        trains: trainable,
        losses: (p) => stage1Graph(p, config as RetrievalConfig, image(p), options),
      }
    }
    case 'stage2':
      return { images, trains: trainable, losses: (p) => stage2Graph(p, config as Blip2Config, image(p)) }
  }
}

export function pixelInput({ vision_config: { num_channels, image_size } }: ModelConfig): Value {
  return input('pixel_values', 'float32', ['batch', num_channels, image_size, image_size])
}
