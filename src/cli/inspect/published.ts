/** What the published parameter counts count. */
import type { Preset } from '../../models/presets.ts'
import { count as inWords } from '../format.ts'
import { count } from './count.ts'
import type { Config } from './subject.ts'
import { tensorsOf } from './tensors.ts'

/** Pixels of the model that mmpretrain counted: it publishes one number for its caption and its VQA configuration (ee7f2e8). */
const publishedSize = 364

/** Why the published count of a preset is another than ours; undefined when nothing is published or the two are equal. */
export function publishedNote({ publishedParameters, config }: Preset): string | undefined {
  if (publishedParameters === undefined) return undefined
  const { num_hidden_layers, image_size } = config.vision_config
  const counted = (layers: number, size: number) => parameters(withEncoder(config, layers, size))
  const ours = counted(num_hidden_layers, image_size)
  if (publishedParameters === ours) return undefined

  const block = counted(num_hidden_layers + 1, image_size) - ours
  const positions = counted(num_hidden_layers, publishedSize) - ours
  const parts = [
    `the encoder's fortieth block (${inWords(block)}), which no forward pass uses`,
    ...(positions === 0
      ? []
      : [`the position embeddings of ${publishedSize} px in place of ${image_size} (${inWords(positions)})`]),
  ]
  const explained = ours + block + positions === publishedParameters
  return explained
    ? `the published count, ${inWords(publishedParameters)}, also has ${parts.join(', and ')}`
    : `the published count is ${inWords(publishedParameters)}`
}

function parameters(config: Config): number {
  return count(tensorsOf(config)).parameters
}

function withEncoder(config: Config, num_hidden_layers: number, image_size: number): Config {
  return { ...config, vision_config: { ...config.vision_config, num_hidden_layers, image_size } }
}
